/** Small questions about the syntax tree. */
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import { isFunction } from "./runs-within.ts";

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
  for (let { parent } = at; parent !== undefined && !isFunction(at); { parent } = at) {
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
