/** How the rules of the plugin are made. */
import type { TSESLint } from "@typescript-eslint/utils";
import { checkSettings } from "./settings.ts";

/** The configurations of the plugin. A rule of `recommended` is in all that are typed or stricter. */
export type ConfigName = "recommended" | "strict" | "signals";

/** What a rule says of itself. */
export interface Docs {
  /** One sentence that says what the rule refuses. */
  description: string;
  /** The configurations that contain the rule. */
  configs: readonly ConfigName[];
  /** The options that the rule has in `strict`. Elsewhere it has those of `defaultOptions`. */
  strict?: object;
}

/** A rule of the plugin. */
export type Rule<Messages extends string, Options extends readonly unknown[]> = TSESLint.RuleModule<
  Messages,
  Options,
  Docs
>;
/** The context that ESLint passes to a rule. */
export type RuleContext<
  Messages extends string = string,
  Options extends readonly unknown[] = readonly unknown[],
> = Readonly<TSESLint.RuleContext<Messages, Options>>;

/**
 * Returns a rule whose page of the documentation is the one that was installed with it:
 * `docs/eslint/<name>.md`.
 */
export function createRule<Messages extends string, Options extends readonly unknown[] = []>({
  name,
  meta,
  create,
}: {
  name: string;
  meta: Omit<TSESLint.RuleMetaData<Messages, Docs, Options>, "docs"> & { docs: Docs };
  create: (context: RuleContext<Messages, Options>) => TSESLint.RuleListener;
}): Rule<Messages, Options> {
  const url = new URL(`../../docs/eslint/${name}.md`, import.meta.url).href;
  return {
    name,
    meta: { ...meta, docs: { ...meta.docs, url } },
    create(context) {
      checkSettings(context.settings);
      return create(context);
    },
  };
}
