/** The groups of a file, and the tasks that they start. */
import type { TSESTree } from "@typescript-eslint/utils";
import type { RuleContext } from "./create-rule.ts";
import { calledApi, propertyName, variableOf } from "./references.ts";
import { isFunction } from "./source-tree.ts";

/** Whether a parameter is the group: `g` of `group(ctx, (g) => …)`. */
export function isGroupParameter(
  fn: TSESTree.Node,
  parameter: TSESTree.Node,
  context: RuleContext,
): boolean {
  if (!isFunction(fn) || fn.params[0] !== parameter) return false;
  const { parent } = fn;
  return (
    parent.type === "CallExpression" &&
    parent.arguments[1] === fn &&
    calledApi(parent, context) === "group"
  );
}

/** Whether a call starts a task of a group: `g.go(task)` or `g.tryGo(task)`. */
export function startsTask({ callee }: TSESTree.CallExpression, context: RuleContext): boolean {
  if (callee.type !== "MemberExpression" || callee.object.type !== "Identifier") return false;
  if (!/^(?:go|tryGo)$/.test(propertyName(callee) ?? "")) return false;
  const definition = variableOf(callee.object, context.sourceCode)?.defs[0];
  return (
    definition?.type === "Parameter" && isGroupParameter(definition.node, definition.name, context)
  );
}
