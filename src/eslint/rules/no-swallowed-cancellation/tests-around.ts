/** Loops, and the tests by which a way through a function turns. */
import type { TSESTree } from "@typescript-eslint/utils";
import { isFunction } from "../../source-tree.ts";

/** A loop of any form. */
export type Loop =
  | TSESTree.DoWhileStatement
  | TSESTree.ForInStatement
  | TSESTree.ForOfStatement
  | TSESTree.ForStatement
  | TSESTree.WhileStatement;

/** Whether a node is a loop of any form. */
export function isLoop(node: TSESTree.Node): node is Loop {
  switch (node.type) {
    case "DoWhileStatement":
    case "ForInStatement":
    case "ForOfStatement":
    case "ForStatement":
    case "WhileStatement":
      return true;
    default:
      return false;
  }
}

/** What decides by a test. */
export type Test =
  | TSESTree.ConditionalExpression
  | TSESTree.IfStatement
  | TSESTree.LogicalExpression
  | TSESTree.SwitchStatement
  | Exclude<Loop, TSESTree.ForInStatement | TSESTree.ForOfStatement>;

/** Returns what decides by an expression that contains `node`, the outermost of them. */
export function testAround(node: TSESTree.Node): Test | undefined {
  let found: Test | undefined;
  let at = node;
  for (;;) {
    const { parent }: { parent?: TSESTree.Node } = at;
    if (!parent || isFunction(parent)) return found;
    switch (parent.type) {
      case "ConditionalExpression":
        if (parent.test === at) found = parent;
        break;
      case "LogicalExpression":
        if (parent.left === at) found = parent;
        break;
      case "DoWhileStatement":
      case "ForStatement":
      case "IfStatement":
      case "WhileStatement":
        return parent.test === at ? parent : found;
      case "SwitchStatement":
        return parent.discriminant === at ? parent : found;
      default:
        if (/Statement$|Declaration$/.test(parent.type)) return found;
    }
    at = parent;
  }
}

/** Whether a test asks for one kind of error: `err instanceof NotFound`, `err.code === "ENOENT"`. */
export function isForOneError(test: TSESTree.Node): boolean {
  if (test.type !== "BinaryExpression") return false;
  if (test.operator === "instanceof")
    return test.right.type !== "Identifier" || !["Error", "DOMException"].includes(test.right.name);
  return (
    (test.operator === "===" || test.operator === "==") &&
    (test.right.type === "Literal" || test.left.type === "Literal")
  );
}
