/** Whether the outcome of a promise is handed on to code that waits for it by a callback. */
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import { propertyName, variableOf } from "./references.ts";
import { isFunction } from "./source-tree.ts";
import { nodesIn } from "./walk.ts";

type SourceCode = Readonly<TSESLint.SourceCode>;

/** What callbacks are called that tell a caller the outcome. */
const CONTINUES: ReadonlySet<string> = new Set([
  "callback",
  "cb",
  "complete",
  "done",
  "fulfill",
  "next",
  "reject",
  "resolve",
]);
/** Methods of a parameter that end a request. */
const RESPONDS: ReadonlySet<string> = new Set([
  ...CONTINUES,
  "destroy",
  "end",
  "json",
  "redirect",
  "render",
  "respond",
  "send",
  "sendFile",
  "sendStatus",
  "writeHead",
]);

/**
 * Whether a call of `then`, `catch` or `finally` hands the outcome on: to the `resolve` and `reject` of a
 * promise, to `next`, to another callback that the code was given, into a response, or into variables,
 * the result and the error alike, as tests and stores do.
 */
export function handsOn(call: TSESTree.CallExpression, sourceCode: SourceCode): boolean {
  if (call.arguments.length === 2 && call.arguments.every(stores)) return true;
  return call.arguments.some((argument) => {
    if (!isFunction(argument)) return isContinuation(argument, argument, sourceCode);
    for (const node of nodesIn(argument.body, sourceCode)) {
      if (node.type === "CallExpression" && isContinuation(node.callee, argument, sourceCode))
        return true;
    }
    return false;
  });
}

/** Whether a callback does nothing but to store what it gets. */
function stores(callback: TSESTree.Node): boolean {
  return (
    callback.type === "ArrowFunctionExpression" && callback.body.type === "AssignmentExpression"
  );
}

/** Whether a function, named inside of `callback`, tells the code around it the outcome. */
export function isContinuation(
  fn: TSESTree.Node,
  callback: TSESTree.Node,
  sourceCode: SourceCode,
): boolean {
  if (fn.type === "Identifier")
    return CONTINUES.has(fn.name) || isOuterParameter(fn, callback, sourceCode);
  if (fn.type !== "MemberExpression") return false;
  const name = propertyName(fn) ?? "";
  if (CONTINUES.has(name)) return fn.object.type !== "Identifier" || fn.object.name !== "Promise";
  return RESPONDS.has(name) && isOuterParameter(rootOf(fn), callback, sourceCode);
}

/** Returns `a` of `a.b(c).d`. */
function rootOf(node: TSESTree.Node): TSESTree.Node {
  let at = node;
  for (;;) {
    if (at.type === "MemberExpression") at = at.object;
    else if (at.type === "CallExpression") at = at.callee;
    else return at;
  }
}

/** Whether a name is that of a parameter of a function around `callback`. */
function isOuterParameter(
  node: TSESTree.Node,
  callback: TSESTree.Node,
  sourceCode: SourceCode,
): boolean {
  if (node.type !== "Identifier") return false;
  const definition = variableOf(node, sourceCode)?.defs[0];
  if (definition?.type !== "Parameter") return false;
  const [from, to] = callback.range;
  return definition.node.range[0] < from || definition.node.range[1] > to;
}
