/** Which exports of eightysix a suggestion can use. */
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import type { RuleContext } from "./create-rule.ts";
import { importedName, type ImportedName } from "./edits.ts";
import { isOurs, referenceOf } from "./references.ts";

/** How the code at some place can use an export of eightysix. */
export interface Import extends ImportedName {
  /** Whether the file imports it already. */
  isImported: boolean;
}

/**
 * Returns how the code at `node` can use an export of the root of eightysix. Returns `undefined` if its
 * name means something else there.
 */
export function importOf(
  exported: string,
  node: TSESTree.Node,
  context: RuleContext,
): Import | undefined {
  const found = importedName("eightysix", exported, context);
  const [root = ""] = found.text.split(".");
  let scope: TSESLint.Scope.Scope | null = context.sourceCode.getScope(node);
  while (scope !== null && !scope.set.has(root)) scope = scope.upper;
  const [identifier] = scope?.set.get(root)?.identifiers ?? [];
  if (identifier === undefined) return { ...found, isImported: false };
  const module = referenceOf(identifier, context.sourceCode)?.module;
  const isImported = module !== undefined && isOurs(module, context.settings);
  return isImported ? { ...found, isImported } : undefined;
}
