/** The suggestion of the rule: `using` instead of `const`. */
import type { TSESLint } from "@typescript-eslint/utils";
import type { RuleContext } from "../../create-rule.ts";
import type { Binding } from "./bindings.ts";

/**
 * Returns the suggestion for a declaration that `using` can replace: a `const` with one name, in a
 * block, whose context is handed over nowhere.
 */
export function usingInstead<Message extends string>(
  { by, name, isHandedOver }: Binding,
  { sourceCode }: RuleContext,
  messageId: Message,
): TSESLint.SuggestionReportDescriptor<Message>[] {
  if (by.type !== "VariableDeclarator" || isHandedOver) return [];
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
