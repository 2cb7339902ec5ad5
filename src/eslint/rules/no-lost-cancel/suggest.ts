/** The suggestion of the rule: `using` instead of `const`. */
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import type { RuleContext } from "../../create-rule.ts";
import { withoutCasts } from "../../walk.ts";
import type { Binding } from "./bindings.ts";
import { createsCancelable } from "./cancelable-calls.ts";

/**
 * Returns the suggestion for a declaration that `using` can replace: a `const` with one name, in a
 * block, whose context is made right there and handed over nowhere. In `slow ? withTimeout(ctx, 5) : ctx`
 * it would end the context of the caller, too.
 */
export function usingInstead<Message extends string>(
  { by, name, isHandedOver }: Binding,
  context: RuleContext,
  messageId: Message,
): TSESLint.SuggestionReportDescriptor<Message>[] {
  const { sourceCode } = context;
  if (by.type !== "VariableDeclarator" || isHandedOver || !isNew(by.init, context)) return [];
  const declaration = by.parent;
  const isFit =
    declaration.kind === "const" &&
    declaration.declarations.length === 1 &&
    name.typeAnnotation === undefined && // a Context is not Disposable
    /^(?:BlockStatement|StaticBlock|Program)$/.test(declaration.parent.type);
  if (!isFit) return [];
  const keyword = sourceCode.getFirstToken(declaration);
  return [
    {
      messageId,
      data: { name: name.name },
      fix: (fixer) => (keyword === null ? null : fixer.replaceText(keyword, "using")),
    },
  ];
}

/** Whether an expression makes a context, whichever way it goes. */
function isNew(node: TSESTree.Node | null, context: RuleContext): boolean {
  if (node === null) return false;
  const value = withoutCasts(node);
  if (value.type === "ConditionalExpression")
    return isNew(value.consequent, context) && isNew(value.alternate, context);
  if (value.type === "AwaitExpression") return isNew(value.argument, context);
  return value.type === "CallExpression" && createsCancelable(value, context);
}
