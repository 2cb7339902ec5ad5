/** When a call without a signal is what its author wants. */
import type { TSESTree } from "@typescript-eslint/utils";
import { isAfterEnd } from "../../after-end.ts";
import type { AtHand } from "../../at-hand.ts";
import { isContext } from "../../contexts.ts";
import type { RuleContext } from "../../create-rule.ts";
import { calledApi, propertyName, variableOf } from "../../references.ts";
import {
  ancestorsOf,
  contains,
  declarationOf,
  functionAround,
  isCleanup,
} from "../../source-tree.ts";
import { typesOf } from "../../types.ts";
import { nodesIn } from "../../walk.ts";
import type { Found } from "./find-api.ts";

/** Events of the end itself, or after it, so waiting for them proves that the work has ended. */
const LAST_EVENTS: ReadonlySet<unknown> = new Set([
  ...["abort", "close", "disconnect", "disconnected", "end", "exit", "finish"],
]);

/** Whether nothing should stop a call when the signal at hand aborts. */
export function isDeliberate(
  call: TSESTree.CallExpression,
  { name }: Found,
  context: RuleContext,
): boolean {
  if (isCleanup(call) || isKept(call) || isAfterEnd(call, context.sourceCode)) return true;
  const [first, second] = call.arguments;
  if (name === "events.once" && second?.type === "Literal" && LAST_EVENTS.has(second.value))
    return true;
  if (/fetch$/.test(name) && first !== undefined && isRequest(first, context)) return true;
  return isHandedOver(call, context);
}

/** A constructor, or an assignment to a property: what the call starts ends with the object. */
function isKept(call: TSESTree.CallExpression): boolean {
  const fn = functionAround(call);
  if (fn?.parent.type === "MethodDefinition" && fn.parent.kind === "constructor") return true;
  const { parent } = call;
  return parent.type === "AssignmentExpression" && parent.left.type === "MemberExpression";
}

/** A `Request` has a signal of its own. */
function isRequest(node: TSESTree.Node, { sourceCode }: RuleContext): boolean {
  const types = typesOf(sourceCode);
  if (types !== undefined && !types.isUnknown(node)) return !types.isUrl(node);
  if (node.type === "Identifier") return /^(?:input|req)$|request$/i.test(node.name);
  return (
    node.type === "NewExpression" &&
    node.callee.type === "Identifier" &&
    node.callee.name === "Request"
  );
}

/** `orDone(ctx, fetch(url))` */
function isHandedOver(call: TSESTree.CallExpression, context: RuleContext): boolean {
  if (calledApi(call.parent, context) === "orDone") return true;
  const promise = declarationOf(call, context.sourceCode);
  return (
    promise?.references.some(
      ({ identifier }) => calledApi(identifier.parent, context) === "orDone",
    ) ?? false
  );
}

/**
 * Whether a call gets the signal already, or a context, in whatever form: as an argument, or as one of
 * what it is called on, such as `client` of `const client = connect(ctx)`.
 */
export function getsIt(
  call: TSESTree.CallExpression,
  { variable }: AtHand,
  context: RuleContext,
): boolean {
  if (passes(call, variable)) return true;
  if (call.arguments.some((argument) => isContext(argument, context))) return true;
  const has = (value: TSESTree.Node): boolean => {
    const init = initOf(value, context);
    return init !== null && passes(init, variable);
  };
  return has(call.callee) || bodiesIn(call, context).some(has);
}

/** Returns what the variable at the root of `a.b.c` was declared with. */
function initOf(value: TSESTree.Node, { sourceCode }: RuleContext): TSESTree.Node | null {
  let root = value;
  while (root.type === "MemberExpression") root = root.object;
  const [definition] = (root.type === "Identifier" && variableOf(root, sourceCode)?.defs) || [];
  return definition?.node.type === "VariableDeclarator" ? definition.node.init : null;
}

/** Returns each `response.body` in the arguments. The stream of a request that is aborted fails by itself. */
function bodiesIn(call: TSESTree.CallExpression, { sourceCode }: RuleContext): TSESTree.Node[] {
  return [...nodesIn(call, sourceCode)].filter(
    (node) => node.type === "MemberExpression" && propertyName(node) === "body",
  );
}

/** Whether the variable, or its signal, is passed on somewhere in an expression. */
function passes(node: TSESTree.Node, variable: AtHand["variable"]): boolean {
  return variable.references.some(({ identifier }) => {
    if (!contains(node, identifier)) return false;
    const { parent } = identifier;
    if (parent.type !== "MemberExpression" || parent.object !== identifier) return true;
    return propertyName(parent) === "signal";
  });
}

/** The end of an earlier step: its timer is cleared, or its failure is caught. */
const END_OF_STEP = /\bclearTimeout\s*\(|\}\s*catch\b/;

/**
 * Whether the function around made the signal itself, for something else:
 *
 * - It aborts the signal after the call, in a line of its own. The call then only decides when, as
 *   `await setTimeout(10)` in a test does.
 * - The signal was the limit of an earlier step, whose end lies between the signal and the call.
 * - The same function was called with the signal before, so this call is meant to have none.
 */
export function isForOthers(
  call: TSESTree.CallExpression,
  { variable, isGiven }: Pick<AtHand, "isGiven" | "variable">,
  { sourceCode }: RuleContext,
): boolean {
  if (isGiven) return false;
  const [name] = variable.identifiers;
  if (name !== undefined && END_OF_STEP.test(sourceCode.text.slice(name.range[1], call.range[0])))
    return true;
  const fn = functionAround(call);
  const callee = sourceCode.getText(call.callee);
  return variable.references.some(({ identifier }) => {
    const { parent } = identifier;
    const isGivenBefore = ancestorsOf(identifier).some(
      (node) => node.type === "CallExpression" && sourceCode.getText(node.callee) === callee,
    );
    if (isGivenBefore && identifier.range[1] < call.range[0]) return true;
    return (
      parent.type === "MemberExpression" &&
      parent.parent.type === "CallExpression" &&
      /^(?:abort|cancel)$/.test(propertyName(parent) ?? "") &&
      identifier.range[0] > call.range[1] &&
      functionAround(identifier) === fn &&
      !isCleanup(identifier)
    );
  });
}

/** Functions whose work also ends by a method of what they return, such as `kill` or `destroy`. */
const HANDLES = /^(?:child_process|https?|net)\./;

/** Whether the function listens to the signal itself, and ends the work by hand. */
export function isEndedByHand(
  { name }: Found,
  { variable }: AtHand,
  context: RuleContext,
): boolean {
  if (!HANDLES.test(name)) return false;
  return variable.references.some(({ identifier }) => {
    const around = ancestorsOf(identifier);
    return around.slice(0, 3).some((at) => {
      if (at.type === "MemberExpression")
        return /^(?:addEventListener|onabort)$/.test(propertyName(at) ?? "");
      return at.type === "CallExpression" && calledApi(at, context) === "afterFunc";
    });
  });
}
