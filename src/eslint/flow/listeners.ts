/** Joins the listeners of two parts of a rule. */
import type { TSESLint } from "@typescript-eslint/utils";

/** Returns listeners that call those of `first`, and then those of `second`, for the same node. */
export function mergeListeners(
  first: TSESLint.RuleListener,
  second: Record<string, (node: never) => void>,
): TSESLint.RuleListener {
  const merged = { ...first } as Record<string, ((node: never) => void) | undefined>;
  for (const [selector, listener] of Object.entries(second)) {
    const before = merged[selector];
    merged[selector] = (node) => {
      before?.(node);
      listener(node);
    };
  }
  return merged;
}
