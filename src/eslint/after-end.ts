/** Whether code runs because a context or a signal has ended, as far as its text tells. */
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import { ancestorsOf, isFunction } from "./source-tree.ts";

/** A question whether something has ended: `signal.aborted`, `ctx.err()`. */
const ASKS = /\.aborted\b|\.err\(\)/;
/** The same question, whose answer "yes" is the true one. */
const IS_LIVE =
  /!\s*[\w.?#]*\.(?:aborted\b|err\(\))|\.err\(\)\s*={2,3}\s*undefined|\.aborted\s*={2,3}\s*false/;
/** A wait for the end. */
const WAITS = /\bawait\b[^]*["']abort["']|\bfor\s+await\b[^]*\binterval\(/;

/**
 * Whether the code at `node` runs when something has ended: in the `if` that asks for it, or behind a
 * loop that goes on until then, or behind a wait for it. Work such as a goodbye must run there.
 */
export function isAfterEnd(
  node: TSESTree.Node,
  sourceCode: Readonly<TSESLint.SourceCode>,
): boolean {
  let at = node;
  for (const parent of ancestorsOf(node)) {
    if (isFunction(at)) return false;
    if (parent.type === "IfStatement" && parent.test !== at) {
      const test = sourceCode.getText(parent.test);
      if (ASKS.test(test) && IS_LIVE.test(test) === (parent.alternate === at)) return true;
    }
    if (parent.type === "BlockStatement" || parent.type === "Program") {
      const before = parent.body.slice(0, parent.body.indexOf(at as TSESTree.Statement));
      if (before.some((statement) => waitsForEnd(statement, sourceCode))) return true;
    }
    at = parent;
  }
  return false;
}

function waitsForEnd(
  statement: TSESTree.Statement,
  sourceCode: Readonly<TSESLint.SourceCode>,
): boolean {
  switch (statement.type) {
    case "WhileStatement":
    case "DoWhileStatement":
      return ASKS.test(sourceCode.getText(statement.test));
    case "ForStatement":
      return statement.test !== null && ASKS.test(sourceCode.getText(statement.test));
    case "ExpressionStatement":
    case "ForOfStatement":
      return WAITS.test(sourceCode.getText(statement));
    default:
      return false;
  }
}
