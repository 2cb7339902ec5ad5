/** Which calls start work for a context, and whose context that is. */
import type { TSESTree } from "@typescript-eslint/utils";
import { ROOTS } from "./api.ts";
import { isContext } from "./contexts.ts";
import type { RuleContext } from "./create-rule.ts";
import {
  calledApi,
  functionOf,
  isGlobal,
  propertyName,
  referenceOf,
  variableOf,
} from "./references.ts";
import { typesOf } from "./types.ts";
import { isFunction, type FunctionNode } from "./source-tree.ts";
import { withoutCasts } from "./walk.ts";

/** How many steps from a variable to its origin are followed. */
const LONGEST_CHAIN = 8;

/**
 * Returns the context that a call gets: as an argument, as the signal of an argument, or as a property
 * of an object, such as `{ ctx }` and `{ signal: ctx.signal }`.
 */
export function contextOfCall(
  call: TSESTree.CallExpression | TSESTree.NewExpression,
  context: RuleContext,
): TSESTree.Node | undefined {
  for (const argument of call.arguments) {
    const found = contextIn(argument, context);
    if (found !== undefined) return found;
  }
  return undefined;
}

function contextIn(node: TSESTree.Node, context: RuleContext): TSESTree.Node | undefined {
  const value = withoutCasts(node);
  switch (value.type) {
    case "Identifier":
    case "CallExpression":
      return isContext(value, context) ? value : undefined;
    case "MemberExpression":
      if (isContext(value, context)) return value;
      return propertyName(value) === "signal" && isContext(value.object, context)
        ? value.object
        : undefined;
    case "ObjectExpression":
      for (const property of value.properties) {
        if (property.type !== "Property" || property.value.type === "ObjectExpression") continue;
        const found = contextIn(property.value, context);
        if (found !== undefined) return found;
      }
      return undefined;
    default:
      return undefined;
  }
}

/**
 * Whether a context is that of the caller: a parameter, or made from one. A context that the code makes
 * from `background()` belongs to the code itself, and that of `withoutCancel` outlives the caller on
 * purpose.
 */
export function isOfCaller(
  node: TSESTree.Node,
  context: RuleContext,
  left = LONGEST_CHAIN,
): boolean {
  if (left === 0) return false;
  const value = withoutCasts(node);
  switch (value.type) {
    case "Identifier": {
      const definition = variableOf(value, context.sourceCode)?.defs[0];
      if (definition?.type === "Parameter") return true;
      const init = definition?.node.type === "VariableDeclarator" ? definition.node.init : null;
      return init !== null && isOfCaller(init, context, left - 1);
    }
    case "AwaitExpression":
      return isOfCaller(value.argument, context, left - 1);
    case "MemberExpression":
      return isOfCaller(value.object, context, left - 1);
    case "CallExpression": {
      const api = calledApi(value, context);
      if (api === "requestContext" || api === "currentContext") return true;
      if (api !== undefined && (ROOTS.has(api) || api === "withoutCancel")) return false;
      const parts: TSESTree.Node[] = [...value.arguments];
      if (value.callee.type === "MemberExpression") parts.push(value.callee.object);
      return parts.some((part) => isOfCaller(part, context, left - 1));
    }
    default:
      return false;
  }
}

/** Functions of eightysix that start work and return a promise. */
const ASYNC_API: ReadonlySet<string> = new Set([
  "all",
  "allSettled",
  "any",
  "group",
  "hedge",
  "race",
  "sleep",
  "within",
]);
/**
 * Functions of eightysix that start no work of the caller: `stopped` waits for the end, and `serve` waits
 * for `shield` and `detach`.
 */
const NO_WORK: ReadonlySet<string> = new Set(["afterFunc", "detach", "shield", "stopped"]);

/** Methods of what `withContext` returns that surely return a promise. */
const DRIVER_METHODS: ReadonlySet<string> = new Set([
  "connection",
  "deleteMany",
  "deleteOne",
  "exec",
  "execute",
  "findOne",
  "insertMany",
  "insertOne",
  "query",
  "sendCommand",
  "transaction",
  "updateMany",
  "updateOne",
]);

/** Whether a call that gets a context surely returns a promise of work. */
export function startsWork(call: TSESTree.CallExpression, context: RuleContext): boolean {
  const api = calledApi(call, context);
  if (api !== undefined && NO_WORK.has(api)) return false;
  const known = typesOf(context.sourceCode)?.isPromise(call);
  if (known !== undefined) return known;
  if (api !== undefined) return ASYNC_API.has(api);
  const callee = withoutCasts(call.callee);
  if (isGlobal(callee, "fetch", context) || isAsync(functionNamed(callee, context))) return true;
  if (callee.type !== "MemberExpression") return false;
  const method = propertyName(callee);
  if (method === undefined) return isAsyncMethod(callee);
  if (DRIVER_METHODS.has(method) && isContextDriver(callee.object, context)) return true;
  return isAsyncMethod(callee) || isChained(call);
}

/** Whether `.then`, `.catch` or `.finally` of the call's result is called. */
function isChained({ parent }: TSESTree.CallExpression): boolean {
  if (parent.type !== "MemberExpression" || parent.parent.type !== "CallExpression") return false;
  return parent.parent.callee === parent && CHAIN.has(propertyName(parent) ?? "");
}

/** The methods of a promise that return another promise. */
export const CHAIN: ReadonlySet<string> = new Set(["then", "catch", "finally"]);

/** Whether an expression is what `withContext` of an integration returns. */
export function isContextDriver(node: TSESTree.Node, context: RuleContext): boolean {
  const value = withoutCasts(node);
  const definition =
    value.type === "Identifier" ? variableOf(value, context.sourceCode)?.defs[0] : undefined;
  let init =
    definition?.node.type === "VariableDeclarator" && definition.node.id.type === "Identifier"
      ? definition.node.init
      : null;
  if (init?.type === "AwaitExpression") init = init.argument;
  if (init?.type !== "CallExpression") return false;
  const callee = referenceOf(init.callee, context.sourceCode);
  return callee?.name === "withContext" && callee.module.startsWith("eightysix/");
}

/** Returns the function of the file that an expression names. */
export function functionNamed(node: TSESTree.Node, context: RuleContext): FunctionNode | undefined {
  if (node.type !== "Identifier") return undefined;
  const variable = variableOf(node, context.sourceCode);
  return variable && functionOf(variable);
}

/** Whether `this.name()` calls a method that the class around it declares `async`. */
function isAsyncMethod({ object, property, computed }: TSESTree.MemberExpression): boolean {
  if (object.type !== "ThisExpression" || computed) return false;
  let at: TSESTree.Node | undefined = object;
  while (at && at.type !== "ClassBody") {
    if (at.type === "FunctionDeclaration") return false;
    at = at.parent;
  }
  return (at?.body ?? []).some(
    (member) =>
      (member.type === "MethodDefinition" || member.type === "PropertyDefinition") &&
      !member.computed &&
      member.key.type === property.type &&
      "name" in member.key &&
      "name" in property &&
      member.key.name === property.name &&
      member.value !== null &&
      isFunction(member.value) &&
      isAsync(member.value),
  );
}

/** Whether a call of the function returns a promise. */
export function isAsync(fn: FunctionNode | undefined): boolean {
  return fn?.async === true && !fn.generator;
}

/**
 * Returns the context of a caller that a function passes on, and that it takes from the code around it,
 * not as a parameter. Such a function is bound to the context: to run it is to start work.
 */
export function closedOverContext(
  fn: FunctionNode,
  context: RuleContext,
): TSESTree.Node | undefined {
  const scope = context.sourceCode.scopeManager?.acquire(fn, true);
  for (const { identifier } of scope?.through ?? []) {
    if (identifier.type !== "Identifier") continue;
    let at: TSESTree.Node = identifier;
    while (isObjectOf(at, at.parent) && !isContext(at, context)) at = at.parent;
    if (isGiven(at, context) && isContext(at, context) && isOfCaller(at, context)) return at;
  }
  return undefined;
}

function isObjectOf(
  node: TSESTree.Node,
  parent: TSESTree.Node | undefined,
): parent is TSESTree.MemberExpression {
  return parent?.type === "MemberExpression" && parent.object === node;
}

/** Whether a context, or its signal, is given to a call that may start work. */
function isGiven(node: TSESTree.Node, context: RuleContext): boolean {
  let at: TSESTree.Node = node;
  if (isObjectOf(at, at.parent) && propertyName(at.parent) === "signal") at = at.parent;
  if (at.parent?.type === "Property" && at.parent.parent.type === "ObjectExpression")
    at = at.parent.parent;
  const call = at.parent;
  if (call?.type !== "CallExpression" || call.callee === at) return false;
  const api = calledApi(call, context);
  return api === undefined || ASYNC_API.has(api);
}
