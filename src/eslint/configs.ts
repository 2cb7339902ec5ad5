/** The configurations of the plugin. */
import type { ConfigName, Docs } from "./create-rule.ts";
import { loadParser } from "./parser.ts";
import type { ConfigLike, Configs, Plugin, RuleEntry } from "./plugin.ts";

const JAVASCRIPT = ["**/*.js", "**/*.mjs", "**/*.cjs", "**/*.jsx"];
const TYPESCRIPT = ["**/*.ts", "**/*.mts", "**/*.cts", "**/*.tsx"];

type Rules = Record<string, { meta: { docs?: Docs } }>;

/** Returns what a configuration says of a rule. In `strict`, a rule may have other options. */
function entry(config: string, docs: Docs | undefined): RuleEntry {
  return config === "strict" && docs?.strict !== undefined ? ["error", docs.strict] : "error";
}

/**
 * Returns the configurations. Each is made when it is read, because a program that lints JavaScript
 * needs no parser for TypeScript.
 */
export function configsOf(plugin: Plugin, rules: Rules): Configs {
  const of = (name: string, groups: readonly ConfigName[]): ConfigLike => {
    const chosen = Object.entries(rules).filter(([, { meta }]) =>
      meta.docs?.configs.some((config) => groups.includes(config)),
    );
    const parser = loadParser();
    return {
      name: `eightysix/${name}`,
      files: parser === undefined ? JAVASCRIPT : [...JAVASCRIPT, ...TYPESCRIPT],
      plugins: { eightysix: plugin },
      ...(parser === undefined ? {} : { languageOptions: { parser } }),
      rules: Object.fromEntries(
        chosen.map(([rule, { meta }]) => [`eightysix/${rule}`, entry(name, meta.docs)] as const),
      ),
    };
  };
  return {
    get recommended() {
      return of("recommended", ["recommended"]);
    },
    get "recommended-type-checked"() {
      const config = of("recommended-type-checked", ["recommended"]);
      if (config.languageOptions === undefined)
        throw new Error(
          "eightysix/recommended-type-checked needs typescript-eslint: run `npm install --save-dev typescript-eslint typescript`, or use eightysix.configs.recommended",
        );
      const parserOptions = { projectService: true };
      return {
        ...config,
        files: TYPESCRIPT,
        languageOptions: { ...config.languageOptions, parserOptions },
      };
    },
    get strict() {
      return of("strict", ["recommended", "strict"]);
    },
    get signals() {
      return of("signals", ["signals"]);
    },
  };
}
