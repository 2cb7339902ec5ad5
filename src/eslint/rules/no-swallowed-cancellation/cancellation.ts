/** Which code asks whether the context or the signal of its work has ended. */
import type { TSESTree } from "@typescript-eslint/utils";
import { contextOfCall } from "../../work.ts";
import type { RuleContext } from "../../create-rule.ts";
import { ROOTS } from "../../api.ts";
import { isOtherSignal } from "../../at-hand/process-signal.ts";
import { isGuessedSignal } from "../../at-hand/signal-text.ts";
import { calledApi, propertyName, variableOf } from "../../references.ts";
import { typesOf } from "../../types.ts";
import { withoutCasts } from "../../walk.ts";

/** Functions of eightysix whose answer says whether a context has ended, or an error comes from that. */
const ASKS: ReadonlySet<string> = new Set([
  "cause",
  "endedHere",
  "hasBudget",
  "isCanceled",
  "isContextError",
  "isDeadlineExceeded",
  "remaining",
]);
/** Functions of eightysix that throw if the context has ended. */
const THROWS: ReadonlySet<string> = new Set(["checkpoint", "throwIfDone"]);
/** The names of functions and classes that know errors of canceled work. */
const KNOWS = /abort(?!controller)|isCancel|cancell?ed|ContextError|DeadlineExceeded|throwIf/i;
/** The names of errors of canceled work, and their codes. */
const NAMES = /abort|cancel/i;

/**
 * Whether a node asks for the end of the work. "throws" means that the answer is an exception, which the
 * `catch` of the same `try` would swallow.
 */
export function asksForEnd(
  node: TSESTree.Node,
  context: RuleContext,
): "asks" | "throws" | undefined {
  switch (node.type) {
    case "Literal":
      return typeof node.value === "string" && NAMES.test(node.value) ? "asks" : undefined;
    case "BinaryExpression":
      return node.operator === "instanceof" && KNOWS.test(nameOf(node.right)) ? "asks" : undefined;
    case "MemberExpression":
      return propertyName(node) === "aborted" ? "asks" : undefined;
    case "ChainExpression": // `signal?.throwIfAborted()`: without a signal, nothing can end
      return asksForEnd(node.expression, context);
    case "CallExpression": {
      const api = calledApi(node, context);
      if (api !== undefined) return ASKS.has(api) ? "asks" : THROWS.has(api) ? "throws" : undefined;
      const name = nameOf(node.callee);
      if (name === "throwIfAborted") return "throws";
      if (name === "err" && node.arguments.length === 0) return "asks";
      return KNOWS.test(name) || isExit(node) ? "asks" : undefined;
    }
    case "AwaitExpression":
      return node.argument.type === "CallExpression" && canEnd(node.argument, context)
        ? "throws"
        : undefined;
    case "ReturnStatement":
      return node.argument?.type === "CallExpression" && canEnd(node.argument, context)
        ? "throws"
        : undefined;
    case "ForOfStatement": // the source of the loop ends with the request, or fails
      return node.await ? "throws" : undefined;
    default:
      return undefined;
  }
}

/** Returns `c` of `a.b.c`. */
export function nameOf(node: TSESTree.Node): string {
  const value = withoutCasts(node);
  if (value.type === "Identifier") return value.name;
  if (value.type !== "MemberExpression") return "";
  return value.property.type === "PrivateIdentifier"
    ? value.property.name
    : (propertyName(value) ?? "");
}

function isExit({ callee }: TSESTree.CallExpression): boolean {
  return (
    callee.type === "MemberExpression" &&
    callee.object.type === "Identifier" &&
    callee.object.name === "process" &&
    propertyName(callee) === "exit"
  );
}

/** Whether a call gets a context or a signal that can end. */
function canEnd(call: TSESTree.CallExpression, context: RuleContext): boolean {
  const given = contextOfCall(call, context) ?? signalOfCall(call, context);
  const api = calledApi(given, context);
  return given !== undefined && (api === undefined || !ROOTS.has(api));
}

/** Returns the signal that a call gets, as an argument or in an object. */
export function signalOfCall(
  call: TSESTree.CallExpression,
  context: RuleContext,
): TSESTree.Node | undefined {
  for (const argument of call.arguments) {
    if (isSignal(argument, context)) return argument;
    if (argument.type !== "ObjectExpression") continue;
    for (const property of argument.properties) {
      if (property.type !== "Property" || property.key.type !== "Identifier") continue;
      const value = withoutCasts(property.value);
      if (property.key.name === "signal") return isOther(value, context) ? undefined : value;
    }
  }
  return undefined;
}

function isSignal(node: TSESTree.Node, context: RuleContext): boolean {
  if (node.type !== "Identifier" && node.type !== "MemberExpression") return false;
  const known = typesOf(context.sourceCode)?.isSignal(node);
  return known ?? (/^(?:.*S|s)ignal$/.test(nameOf(node)) && !isOther(node, context));
}

/** Whether a parameter is only named like an `AbortSignal`: `signal` of `child.kill(signal)`. */
function isOther(node: TSESTree.Node, context: RuleContext): boolean {
  if (node.type !== "Identifier") return false;
  const variable = variableOf(node, context.sourceCode);
  return (
    variable !== undefined && isGuessedSignal(variable, context) && isOtherSignal(variable, context)
  );
}

/**
 * Returns the part of a context or a signal that is older than a loop, such as `ctx` of
 * `withTimeout(ctx, 100)`. If that has ended, every further turn of the loop is in vain. Returns
 * `undefined` if the loop makes its own, or if it never ends.
 */
export function olderThan(
  loop: TSESTree.Node,
  given: TSESTree.Node,
  context: RuleContext,
  left = 8,
): TSESTree.Node | undefined {
  if (left === 0) return undefined;
  const value = withoutCasts(given);
  switch (value.type) {
    case "ThisExpression":
      return value;
    case "Identifier": {
      const definition = variableOf(value, context.sourceCode)?.defs[0];
      if (definition === undefined) return undefined;
      const init = definition.node.type === "VariableDeclarator" ? definition.node.init : null;
      const isInside =
        loop.range[0] <= definition.name.range[0] && definition.name.range[1] <= loop.range[1];
      if (isInside) return init === null ? undefined : olderThan(loop, init, context, left - 1);
      const api = calledApi(init, context);
      return api !== undefined && ROOTS.has(api) ? undefined : value;
    }
    case "MemberExpression": {
      const found = olderThan(loop, value.object, context, left - 1);
      return found === withoutCasts(value.object) ? value : found;
    }
    case "ArrayExpression":
    case "CallExpression": {
      const api = calledApi(value, context);
      if (api === "withoutCancel") return undefined;
      for (const part of value.type === "CallExpression" ? value.arguments : value.elements) {
        const found = part && olderThan(loop, part, context, left - 1);
        if (found) return found;
      }
      return undefined;
    }
    default:
      return undefined;
  }
}
