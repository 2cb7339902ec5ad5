/** Whether a function runs while the function around it runs. */
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import { GIVES_CONTEXT } from "./api.ts";
import type { RuleContext } from "./create-rule.ts";
import { startsTask } from "./groups.ts";
import { apiName, isReassigned, propertyName } from "./references.ts";
import { isFunction, type FunctionNode } from "./source-tree.ts";

/** Functions of eightysix whose callers wait for the function that they take. */
const WAITED_FOR: ReadonlySet<string> = new Set([
  "all",
  "allSettled",
  "any",
  "group",
  "hedge",
  "map",
  "race",
  "runWithContext",
  "within",
]);

/** Methods that run the function that they take before they return, and `then`. */
const METHODS: ReadonlySet<string> = new Set([
  ...["every", "filter", "find", "findIndex", "findLast", "flatMap", "forEach", "from", "map"],
  ...["reduce", "reduceRight", "some", "sort", "then", "toSorted"],
]);

/** Words in the names of functions whose callers wait for the function that they take. */
const WAITED_FOR_NAME = /retry|transaction|savepoint|limit|mutex|span$|^(?:use|with)?connection$/i;

/**
 * Whether `fn`, a function within another, runs only while the one around it does: it is called at
 * once, awaited, or passed to `map`, `then`, `new Promise` or `retry`. An event handler, the callback
 * of a timer, a method and a function that is returned run later.
 */
export function runsWithin(
  fn: FunctionNode,
  context: RuleContext,
  seen: Set<TSESTree.Node> = new Set<TSESTree.Node>(),
): boolean {
  if (seen.has(fn)) return true; // it calls itself
  seen.add(fn);
  const { parent } = fn;
  if (fn.type === "FunctionDeclaration" || parent.type === "VariableDeclarator") {
    const declaration = fn.type === "FunctionDeclaration" ? fn : parent;
    const [variable] = context.sourceCode.getDeclaredVariables?.(declaration) ?? [];
    return variable !== undefined && isOnlyCalled(variable, context, seen);
  }
  if (parent.type === "CallExpression" && parent.callee === fn) return true;
  if (parent.type === "NewExpression")
    return parent.callee.type === "Identifier" && parent.callee.name === "Promise";
  const call = parent.type === "ArrayExpression" ? parent.parent : parent;
  return call.type === "CallExpression" && isWaitedFor(call, context);
}

/** Whether a function is passed to one that gives it a context of its own, such as `all` or `g.go`. */
export function isTask({ parent }: FunctionNode, context: RuleContext): boolean {
  const call = parent.type === "ArrayExpression" ? parent.parent : parent;
  if (call.type !== "CallExpression") return false;
  const api = apiName(call.callee, context);
  return api === undefined ? startsTask(call, context) : GIVES_CONTEXT.has(api);
}

/** Whether every use of the variable calls its function, while the function that declares it runs. */
function isOnlyCalled(
  variable: TSESLint.Scope.Variable,
  context: RuleContext,
  seen: Set<TSESTree.Node>,
): boolean {
  const uses = variable.references.filter((reference) => !reference.isWrite());
  if (uses.length === 0 || isReassigned(variable)) return false;
  return uses.every(({ identifier, from }) => {
    const { parent } = identifier as TSESTree.Identifier;
    if (parent.type !== "CallExpression") return false;
    if (parent.callee !== identifier && !isWaitedFor(parent, context)) return false;
    for (let scope = from; scope !== variable.scope;) {
      const { block } = scope;
      if (scope.type === "function" && isFunction(block) && !runsWithin(block, context, seen))
        return false;
      if (scope.upper === null) return false;
      scope = scope.upper;
    }
    return true;
  });
}

/**
 * Whether the functions that a call takes run before the call, or the promise it returns, is done. The
 * tasks of a group end before the group does.
 */
function isWaitedFor(call: TSESTree.CallExpression, context: RuleContext): boolean {
  const { callee } = call;
  const api = apiName(callee, context);
  if (api !== undefined) return WAITED_FOR.has(api);
  if (startsTask(call, context)) return true;
  const method = callee.type === "MemberExpression" ? propertyName(callee) : undefined;
  if (method !== undefined && METHODS.has(method)) return true;
  const name = method ?? (callee.type === "Identifier" ? callee.name : "");
  return WAITED_FOR_NAME.test(name);
}
