/** Where the promise of an expression is dropped, so that nothing can wait for it. */
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import { propertyName, variableOf } from "../../references.ts";
import { handsOn } from "../../hand-on.ts";
import { functionAround, isFunction, type FunctionNode } from "../../source-tree.ts";
import { isCast } from "../../walk.ts";
import { CHAIN } from "../../work.ts";

type SourceCode = Readonly<TSESLint.SourceCode>;

/** The place where a promise is dropped. */
export interface Drop {
  /** The whole expression whose promise is dropped, such as `work(ctx).catch(log)`. */
  expression: TSESTree.Node;
  /**
   * "value": by a statement or `void`. "variable": by a variable that the program does not read.
   * "callback": by a function such as `forEach`, which ignores what its callback returns.
   */
  by: "value" | "variable" | "callback";
  /** The name of that variable or function. */
  name: string | undefined;
}

/** How many variables and callbacks a promise is followed through. */
const LONGEST_CHAIN = 6;

/** Returns the place where the promise that `node` gives is dropped, if it is. */
export function dropOf(
  node: TSESTree.Node,
  sourceCode: SourceCode,
  left = LONGEST_CHAIN,
): Drop | undefined {
  if (left === 0) return undefined;
  for (let at = node; at.parent !== undefined;) {
    const { parent } = at as { parent: TSESTree.Node };
    if (isCast(parent) || isResult(at, parent)) {
      at = parent;
      continue;
    }
    switch (parent.type) {
      case "ExpressionStatement":
        return { expression: at, by: "value", name: undefined };
      case "UnaryExpression":
        return parent.operator === "void"
          ? { expression: at, by: "value", name: undefined }
          : undefined;
      case "SequenceExpression": // not the last one
        return { expression: at, by: "value", name: undefined };
      case "CallExpression":
        if (!isCombinator(parent)) return undefined;
        at = parent;
        continue;
      case "MemberExpression": {
        const call = chainedCall(at, parent);
        if (call === undefined || handsOn(call, sourceCode)) return undefined;
        at = call;
        continue;
      }
      case "VariableDeclarator":
        return parent.id.type === "Identifier" && !isKept(parent)
          ? dropByVariable(at, parent.id, sourceCode, left)
          : undefined;
      case "AssignmentExpression": {
        if (parent.operator !== "=" || parent.left.type !== "Identifier") return undefined;
        const drop = dropByVariable(at, parent.left, sourceCode, left);
        return drop !== undefined && parent.parent.type === "ExpressionStatement"
          ? drop
          : undefined;
      }
      case "ArrowFunctionExpression":
        return parent.async || parent.body !== at
          ? undefined
          : dropByCaller(at, parent, sourceCode, left - 1);
      case "ReturnStatement": {
        const fn = functionAround(parent);
        return fn === undefined || fn.async || fn.generator
          ? undefined
          : dropByCaller(at, fn, sourceCode, left - 1);
      }
      default:
        return undefined;
    }
  }
  return undefined;
}

/** Whether the value of `node` is that of `parent`, or one of its elements. */
function isResult(node: TSESTree.Node, parent: TSESTree.Node): boolean {
  switch (parent.type) {
    case "ArrayExpression":
      return true;
    case "ConditionalExpression":
      return parent.test !== node;
    case "LogicalExpression":
      return parent.right === node;
    case "SequenceExpression":
      return parent.expressions.at(-1) === node;
    default:
      return false;
  }
}

/** Whether a call is `Promise.all(…)` or the like, which waits for its elements. */
function isCombinator({ callee }: TSESTree.CallExpression): boolean {
  return (
    callee.type === "MemberExpression" &&
    callee.object.type === "Identifier" &&
    callee.object.name === "Promise" &&
    ["all", "allSettled", "any", "race", "resolve"].includes(propertyName(callee) ?? "")
  );
}

/** Returns the call of `then`, `catch` or `finally` on `node`. */
function chainedCall(
  node: TSESTree.Node,
  member: TSESTree.MemberExpression,
): TSESTree.CallExpression | undefined {
  const call = member.parent;
  if (member.object !== node || call.type !== "CallExpression" || call.callee !== member)
    return undefined;
  return CHAIN.has(propertyName(member) ?? "") ? call : undefined;
}

/** Whether a declaration keeps its value by itself: `using`, or an export. */
function isKept({ parent }: TSESTree.VariableDeclarator): boolean {
  if (parent.type !== "VariableDeclaration") return true;
  return parent.kind.includes("using") || parent.parent.type === "ExportNamedDeclaration";
}

function dropByVariable(
  value: TSESTree.Node,
  name: TSESTree.Identifier,
  sourceCode: SourceCode,
  left: number,
): Drop | undefined {
  const variable = variableOf(name, sourceCode);
  // The scripts of a page can read each other's global variables.
  if (variable === undefined || variable.scope.type === "global") return undefined;
  const isDropped = variable.references
    .filter((reference) => reference.isRead())
    .every(({ identifier }) => dropOf(identifier, sourceCode, left - 1) !== undefined);
  return isDropped ? { expression: value, by: "variable", name: name.name } : undefined;
}

/** What happens to the promise that a function returns: its caller drops it, or the answer is unknown. */
function dropByCaller(
  value: TSESTree.Node,
  fn: FunctionNode,
  sourceCode: SourceCode,
  left: number,
): Drop | undefined {
  const call = fn.parent;
  if (call.type !== "CallExpression") return undefined;
  if (call.callee === fn) return dropOf(call, sourceCode, left);
  const drop = dropByCallee(call, sourceCode, left);
  if (drop !== undefined) return drop.by === "callback" ? { ...drop, expression: value } : drop;
  const { callee } = call;
  const isChain = callee.type === "MemberExpression" && CHAIN.has(propertyName(callee) ?? "");
  return isChain && !handsOn(call, sourceCode) ? dropOf(call, sourceCode, left) : undefined;
}

const TIMERS: ReadonlySet<string> = new Set([
  "queueMicrotask",
  "setImmediate",
  "setInterval",
  "setTimeout",
]);

/** Returns the place where a call drops the promise that its first argument, a function, returns. */
export function dropByCallee(
  call: TSESTree.CallExpression,
  sourceCode: SourceCode,
  left = LONGEST_CHAIN,
): Drop | undefined {
  const [callback] = call.arguments;
  if (callback === undefined || !isFunction(callback)) return undefined;
  const { callee } = call;
  const dropped = (name: string): Drop => ({ expression: call, by: "callback", name });
  if (callee.type === "Identifier") {
    const isTimer =
      TIMERS.has(callee.name) && variableOf(callee, sourceCode)?.defs[0] === undefined;
    return isTimer ? dropped(callee.name) : undefined;
  }
  if (callee.type !== "MemberExpression") return undefined;
  const name = propertyName(callee);
  const { object } = callee;
  if (name === "nextTick" && object.type === "Identifier" && object.name === "process")
    return dropped(name);
  if (name !== "forEach" && name !== "map" && name !== "flatMap") return undefined;
  // If the result of `forEach` is awaited, it is not that of an array.
  const drop = dropOf(call, sourceCode, left);
  return drop?.expression === call && drop.by === "value" ? dropped(name) : drop;
}
