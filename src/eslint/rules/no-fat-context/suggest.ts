/** The suggestion of the rule: a new constant in the block. */
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import { CANCELABLE } from "../../api.ts";
import type { RuleContext } from "../../create-rule.ts";
import { calledApi } from "../../references.ts";
import type { Nesting } from "./nestings.ts";

/**
 * Returns the suggestion to declare a new name in the block, and to use it in the rest of the block. If
 * code behind the block reads the variable too, there is none.
 *
 * `const ctx = withValue(ctx, …)`, as Go's `ctx := …`, would throw: the name is the new one already.
 */
export function newConstant<Message extends string>(
  { node, target, call }: Nesting,
  around: TSESTree.Node,
  context: RuleContext,
  messageId: Message,
): TSESLint.SuggestionReportDescriptor<Message>[] {
  const { sourceCode } = context;
  const statement = node.parent;
  const block = statement.parent;
  if (node.left.type !== "Identifier" || target.root === undefined) return [];
  if (statement.type !== "ExpressionStatement" || block?.type !== "BlockStatement") return [];
  const later = target.root.references.filter(
    ({ identifier }) =>
      identifier.range[0] >= node.range[1] &&
      (around.type === "Program" || isIn(identifier, around)),
  );
  const behindLoop = target.root.references.filter(
    ({ identifier, from }) =>
      identifier.range[0] >= node.range[1] &&
      !isIn(identifier, block) &&
      from.variableScope === sourceCode.getScope(node).variableScope,
  );
  const inBlock = later.filter(({ identifier }) => isIn(identifier, block));
  if (later.length !== inBlock.length || behindLoop.length > 0) return [];
  if (inBlock.some((reference) => reference.isWrite())) return [];

  const name = freeName(sourceCode);
  const api = calledApi(call, context);
  const keyword =
    api !== undefined && CANCELABLE.has(api) && call === node.right ? "using" : "const";
  return [
    {
      messageId,
      data: { name, keyword, text: node.left.name },
      fix: (fixer) => [
        fixer.replaceText(node.left, `${keyword} ${name}`),
        ...inBlock.map(({ identifier }) =>
          identifier.parent.type === "Property" && identifier.parent.shorthand
            ? fixer.insertTextAfter(identifier, `: ${name}`)
            : fixer.replaceText(identifier, name),
        ),
      ],
    },
  ];
}

function isIn(inner: TSESTree.Node, outer: TSESTree.Node): boolean {
  return outer.range[0] <= inner.range[0] && inner.range[1] <= outer.range[1];
}

/** Returns a name that the file does not use. */
function freeName({ ast }: Readonly<TSESLint.SourceCode>): string {
  const taken = new Set((ast.tokens ?? []).map(({ value }) => value));
  let name = "inner";
  for (let i = 2; taken.has(name); i++) name = `inner${i}`;
  return name;
}
