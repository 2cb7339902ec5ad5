/** Walks through the nodes of a syntax tree. */
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";

/** Returns the nodes below `root`, `root` included, in no particular order. */
export function* nodesIn(
  root: TSESTree.Node,
  sourceCode: Readonly<TSESLint.SourceCode>,
): Generator<TSESTree.Node> {
  const left = [root];
  for (let node = left.pop(); node !== undefined; node = left.pop()) {
    yield node;
    for (const key of sourceCode.visitorKeys[node.type] ?? []) {
      const child = (node as unknown as Record<string, unknown>)[key];
      for (const one of Array.isArray(child) ? (child as unknown[]) : [child]) {
        if (isNode(one)) left.push(one);
      }
    }
  }
}

function isNode(x: unknown): x is TSESTree.Node {
  return typeof x === "object" && x !== null && "type" in x;
}

/** Returns the expression in type assertions, `!`, parentheses of `?.` and `satisfies`. */
export function withoutCasts(node: TSESTree.Node): TSESTree.Node {
  let at = node;
  while (isCast(at)) at = at.expression;
  return at;
}

/** Whether a node only says something about the type of its expression, or ends a chain of `?.`. */
export function isCast(
  node: TSESTree.Node,
): node is
  | TSESTree.TSAsExpression
  | TSESTree.TSNonNullExpression
  | TSESTree.TSSatisfiesExpression
  | TSESTree.TSTypeAssertion
  | TSESTree.ChainExpression {
  switch (node.type) {
    case "ChainExpression":
    case "TSAsExpression":
    case "TSNonNullExpression":
    case "TSSatisfiesExpression":
    case "TSTypeAssertion":
      return true;
    default:
      return false;
  }
}
