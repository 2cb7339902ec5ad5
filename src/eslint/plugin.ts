/** The public types of the plugin. ESLint's own types take them, and they name no other package. */

/** A rule, as ESLint takes it. */
export interface RuleLike {
  meta: object;
  // The parameter of ESLint's own type: rules may ask for any part of it.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  create(context: any): Record<string, any>;
}

/** What a configuration says of a rule: that it is on, and with which options. */
export type RuleEntry = "error" | ["error", object];

/** A parser, as ESLint takes it. */
export interface ParserLike {
  meta?: { name?: string; version?: string };
  // The types of ESLint 9, ESLint 10 and typescript-eslint differ here.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  parseForESLint(text: string, options?: any): any;
}

/** One element of a flat configuration. */
export interface ConfigLike {
  name: string;
  files: string[];
  plugins: Record<string, object>;
  languageOptions?: { parser?: ParserLike; parserOptions?: Record<string, unknown> };
  rules: Record<string, RuleEntry>;
}

/** The configurations of the plugin. A type and no interface, because ESLint asks for an index signature. */
export type Configs = {
  /** For programs that use eightysix. Without types, so it is fast. */
  readonly recommended: ConfigLike;
  /** The same rules, for TypeScript files, with types. It finds more. */
  readonly "recommended-type-checked": ConfigLike;
  /** All rules, also those that are a matter of style. Put it behind one of the other configurations. */
  readonly strict: ConfigLike;
  /** For programs that have no contexts: the rules about signals. */
  readonly signals: ConfigLike;
};

/** The plugin, as ESLint takes it. */
export interface Plugin {
  meta: { name: string; namespace: string };
  rules: Record<string, RuleLike>;
  configs: Configs;
}
