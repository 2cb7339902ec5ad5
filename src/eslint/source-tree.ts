/** Small questions about the syntax tree. */
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";

/** Any function of the source. */
export type FunctionNode =
  TSESTree.ArrowFunctionExpression | TSESTree.FunctionDeclaration | TSESTree.FunctionExpression;

/** Whether a node is a function. */
export function isFunction(node: TSESTree.Node): node is FunctionNode {
  return (
    node.type === "ArrowFunctionExpression" ||
    node.type === "FunctionDeclaration" ||
    node.type === "FunctionExpression"
  );
}

/** Returns the nearest function around a node. */
export function functionAround(node: TSESTree.Node): FunctionNode | undefined {
  return ancestorsOf(node).find(isFunction);
}

/** Returns the nodes around a node, the nearest first. */
export function ancestorsOf(node: TSESTree.Node): TSESTree.Node[] {
  const found: TSESTree.Node[] = [];
  // ESLint gives the program the parent `null`.
  for (let at = node.parent; at; at = at.parent) found.push(at);
  return found;
}

/** Whether one node, or its text, lies within another. */
export function contains(outer: TSESTree.Node, inner: TSESTree.Node): boolean {
  return outer.range[0] <= inner.range[0] && inner.range[1] <= outer.range[1];
}

/** Whether some reference to the variable lies within a node. */
export function mentions(node: TSESTree.Node, variable: TSESLint.Scope.Variable): boolean {
  return variable.references.some(({ identifier }) => contains(node, identifier));
}

/**
 * Whether the code at `node` runs after something has failed or ended: it is in a `catch` or a
 * `finally` of its function. There, the context at hand may be done, and work such as a rollback must
 * run without it.
 */
export function isCleanup(node: TSESTree.Node): boolean {
  let at = node;
  for (const parent of ancestorsOf(node)) {
    if (isFunction(at)) return false;
    if (parent.type === "CatchClause") return true;
    if (parent.type === "TryStatement" && parent.finalizer === at) return true;
    at = parent;
  }
  return false;
}

/** Returns the variable of `const a = node`, if `node` is all of the right side. */
export function declarationOf(
  node: TSESTree.Node,
  sourceCode: Readonly<TSESLint.SourceCode>,
): TSESLint.Scope.Variable | undefined {
  const { parent } = node;
  if (parent?.type !== "VariableDeclarator" || parent.init !== node) return undefined;
  return parent.id.type === "Identifier" ? sourceCode.getDeclaredVariables?.(parent)[0] : undefined;
}
