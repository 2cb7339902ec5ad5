/** Loads the parser of typescript-eslint, which the user has installed. */
import { createRequire } from "node:module";
import { join } from "node:path";
import type { ParserLike } from "./plugin.ts";

/**
 * Returns the parser, or `undefined` if neither typescript-eslint nor @typescript-eslint/parser is
 * installed. It looks beside this package first, and then where ESLint was started.
 */
export function loadParser(): ParserLike | undefined {
  const places = [import.meta.url, join(process.cwd(), "eslint.config.js")];
  for (const require of places.map((place) => createRequire(place))) {
    const whole = load(require, "typescript-eslint") as { parser?: ParserLike } | undefined;
    const parser =
      whole?.parser ?? (load(require, "@typescript-eslint/parser") as ParserLike | undefined);
    if (parser !== undefined) return parser;
  }
  return undefined;
}

function load(require: NodeJS.Require, name: string): object | undefined {
  try {
    require.resolve(name);
  } catch {
    return undefined;
  }
  return require(name) as object;
}
