/** `return work(ctx)` where the function ends `ctx` as it returns. */
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import { holdsContext } from "../../contexts.ts";
import type { RuleContext } from "../../create-rule.ts";
import { isUnreadResponse, readsBody } from "./bodies.ts";
import { isWrapped } from "./drivers.ts";
import {
  apiName,
  calledApi,
  functionOf,
  isGlobal,
  propertyName,
  variableOf,
} from "../../references.ts";
import {
  ancestorsOf,
  contains,
  functionAround,
  isFunction,
  type FunctionNode,
} from "../../source-tree.ts";
import { typesOf } from "../../types.ts";

type Variable = TSESLint.Scope.Variable;

/** A promise that a function returns although it ends the context of that promise's work. */
export interface ReturnedPromise {
  /** The whole expression, which `await` goes in front of. */
  argument: TSESTree.Expression;
  ctx: Variable;
  fn: FunctionNode;
  /** Whether it is no promise, but a response whose body nothing has read. */
  isBody: boolean;
}

/** Functions of eightysix that return a promise which the end of its context rejects. */
const ASYNC: ReadonlySet<string> = new Set([
  ...["all", "allSettled", "any", "checkpoint", "hedge", "orDone", "race", "sleep", "within"],
]);

/** Functions whose work goes on after the context has ended, or that wait for its end. */
const OUTLIVES: ReadonlySet<string> = new Set(["detach", "shield", "stopped", "withoutCancel"]);

/** Members of a context whose result does not depend on it any more. */
const READ_AT_ONCE: ReadonlySet<string> = new Set(["deadline", "err", "value"]);

/** Returns the promise that a statement returns too early. */
export function returnedPromise(
  { argument }: TSESTree.ReturnStatement,
  context: RuleContext,
): ReturnedPromise | undefined {
  if (argument === null) return undefined;
  const fn = functionAround(argument);
  if (fn === undefined) return undefined;
  for (const ctx of endedBy(argument, fn, context)) {
    const users = derivedFrom(ctx, fn, context);
    const values = branches(argument);
    // An async generator awaits what it returns before it leaves the block.
    if (!fn.generator && values.some((one) => isEarly(one, fn, users, context)))
      return { argument, ctx, fn, isBody: false };
    if (values.some((one) => isUnreadResponse(one, users, context)))
      return { argument, ctx, fn, isBody: true };
  }
  return undefined;
}

/** Returns the contexts that end when the code at `node` returns. */
function endedBy(node: TSESTree.Node, fn: FunctionNode, context: RuleContext): Variable[] {
  const found: Variable[] = [];
  let scope: TSESLint.Scope.Scope | null = context.sourceCode.getScope(node);
  for (; scope !== null; scope = scope.upper) {
    for (const variable of scope.variables) {
      const [definition] = variable.defs;
      if (definition?.type !== "Variable" || definition.node.range[1] > node.range[0]) continue;
      const isEnded =
        definition.parent.kind.endsWith("using") || isEndedFinally(variable, node, fn);
      if (isEnded && holdsContext(variable, context)) found.push(variable);
    }
    if (scope.block === fn) break;
  }
  return found;
}

/** `try { return … } finally { ctx.cancel(); }` */
function isEndedFinally(variable: Variable, node: TSESTree.Node, fn: FunctionNode): boolean {
  return variable.references.some(({ identifier }) => {
    const member = identifier.parent;
    if (member.type !== "MemberExpression" || member.parent.type !== "CallExpression") return false;
    if (member.parent.callee !== member || propertyName(member) !== "cancel") return false;
    if (functionAround(identifier) !== fn) return false;
    return ancestorsOf(node).some(
      (at) =>
        at.type === "TryStatement" &&
        at.finalizer !== null &&
        contains(at.finalizer, identifier) &&
        !contains(at.finalizer, node),
    );
  });
}

/** Returns the context, what the function derived from it, and the promises that use either. */
function derivedFrom(ctx: Variable, fn: FunctionNode, context: RuleContext): Variable[] {
  const found = [ctx];
  for (const from of found) {
    for (const { identifier } of from.references) {
      const init = outermost(identifier);
      const { parent } = init;
      if (parent?.type !== "VariableDeclarator" || parent.init !== init) continue;
      if (parent.id.type !== "Identifier" || functionAround(parent) !== fn) continue;
      const [variable] = context.sourceCode.getDeclaredVariables?.(parent) ?? [];
      if (variable === undefined || found.includes(variable)) continue;
      if (isOutliving(init, context)) continue;
      const types = typesOf(context.sourceCode);
      const isUser =
        holdsContext(variable, context) ||
        (init.type === "MemberExpression" && propertyName(init) === "signal") ||
        calledApi(init, context) === "group" ||
        (types?.isThenable(init) ?? isAsyncCall(init, context));
      if (isUser) found.push(variable);
    }
  }
  return found;
}

/** `f(ctx, 1)` of `ctx`, and `ctx.signal`. */
function outermost(node: TSESTree.Node): TSESTree.Node {
  const { parent } = node;
  if (parent?.type === "MemberExpression" && parent.object === node) return parent;
  return parent?.type === "CallExpression" && parent.callee !== node ? parent : node;
}

/** Returns the expressions of which one is the value: those of `a ? b : c`, `a ?? b` and the like. */
function branches(node: TSESTree.Expression): TSESTree.Expression[] {
  switch (node.type) {
    case "ConditionalExpression":
      return [...branches(node.consequent), ...branches(node.alternate)];
    case "LogicalExpression":
      return [...branches(node.left), ...branches(node.right)];
    case "TSAsExpression":
    case "TSNonNullExpression":
    case "TSSatisfiesExpression":
      return branches(node.expression);
    default:
      return [node];
  }
}

function isEarly(
  node: TSESTree.Expression,
  fn: FunctionNode,
  users: readonly Variable[],
  context: RuleContext,
): boolean {
  if (node.type !== "CallExpression" && node.type !== "NewExpression" && node.type !== "Identifier")
    return false;
  if (isOutliving(node, context)) return false;
  if (readsBody(node, users, context)) return true;
  const isPromise =
    typesOf(context.sourceCode)?.isThenable(node) ??
    (node.type === "Identifier"
      ? users.slice(1).some((one) => one === variableOf(node, context.sourceCode))
      : isAsyncCall(node, context) || (fn.async && mayBeAsync(node, context)));
  if (!isPromise) return false;
  return users.some(({ references }) =>
    references.some(
      ({ identifier }) => contains(node, identifier) && isUsed(identifier, node, context),
    ),
  );
}

/** Whether what `node` evaluates to still needs the context at `identifier`. */
function isUsed(
  identifier: TSESTree.Node,
  node: TSESTree.Expression,
  context: RuleContext,
): boolean {
  const around = ancestorsOf(identifier);
  const within = around.slice(0, around.indexOf(node));
  if (within.some((at) => isOutliving(at, context))) return false;
  const isInFunction = within.some(isFunction);
  if (isInFunction) return true;
  if (within.some(({ type }) => type === "AwaitExpression")) return false;
  // `ctx.err()` and `ctx.value(key)` are read at once.
  const [parent] = around;
  return parent?.type !== "MemberExpression" || !READ_AT_ONCE.has(propertyName(parent) ?? "");
}

function isOutliving(node: TSESTree.Node, context: RuleContext): boolean {
  const api = calledApi(node, context);
  return api !== undefined && OUTLIVES.has(api);
}

/** Whether a call certainly returns a promise, without types. */
function isAsyncCall(node: TSESTree.Node, context: RuleContext): boolean {
  if (node.type === "NewExpression") return isGlobal(node.callee, "Promise", context);
  if (node.type !== "CallExpression") return false;
  const { callee } = node;
  const api = apiName(callee, context);
  if (api !== undefined) return ASYNC.has(api);
  if (isGlobal(callee, "fetch", context)) return true;
  if (callee.type === "Identifier") return calledFunction(callee, context)?.async ?? false;
  if (callee.type !== "MemberExpression") return false;
  if (isGlobal(callee.object, "Promise", context)) return true;
  const method = propertyName(callee);
  if (method === "then" || method === "catch" || method === "finally") return true;
  if (callee.object.type !== "Identifier" || method === "stream") return false;
  const driver = variableOf(callee.object, context.sourceCode);
  return driver !== undefined && isWrapped(driver, context) !== undefined;
}

/** Functions of the language that return no promise. */
const SYNC = ["Array", "Boolean", "JSON", "Math", "Number", "Object", "Response", "String"];

/** Whether a call in an async function may return a promise, as far as the source tells. */
function mayBeAsync(node: TSESTree.Expression, context: RuleContext): boolean {
  if (node.type !== "CallExpression" || apiName(node.callee, context) !== undefined) return false;
  const { callee } = node;
  const first = callee.type === "MemberExpression" ? callee.object : callee;
  if (SYNC.some((name) => isGlobal(first, name, context))) return false;
  if (callee.type !== "Identifier") return true;
  // A function of the file that is not async may return a promise, but most do not.
  return calledFunction(callee, context) === undefined;
}

function calledFunction(
  callee: TSESTree.Identifier,
  context: RuleContext,
): FunctionNode | undefined {
  const variable = variableOf(callee, context.sourceCode);
  return variable && functionOf(variable);
}
