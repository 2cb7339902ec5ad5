/**
 * eightysix/eslint: rules for programs that use contexts or signals, for ESLint 9 and later.
 *
 * It needs `eslint`. For TypeScript it also needs `typescript-eslint`.
 *
 * @example
 * // eslint.config.js
 * import eightysix from "eightysix/eslint";
 * export default [eightysix.configs.recommended];
 *
 * @packageDocumentation
 */
import { configsOf } from "./configs.ts";
import type { Plugin } from "./plugin.ts";
import { rules } from "./rules/index.ts";

export type { ConfigLike, Configs, ParserLike, Plugin, RuleEntry, RuleLike } from "./plugin.ts";

const meta = { name: "eightysix", namespace: "eightysix" };

/** The plugin: its rules and its configurations. */
const plugin: Plugin = {
  meta,
  rules,
  get configs() {
    return configs;
  },
};
const configs = configsOf(plugin, rules);

// ESLint's plugins are default exports.
export default plugin;
