/** What a statement means to a transaction whose context is done: it may end it, and do nothing else. */

/**
 * - "begin": is harmless, and is sent and not stopped, or Drizzle would never give its connection
 *   back: it is not prepared for a BEGIN that fails.
 * - "rollback": cleans up. It is sent, whatever the context says, and is not stopped.
 * - "commit": ends the transaction for good. Once sent, it is not stopped either.
 * - "savepoint": SAVEPOINT and RELEASE. They do not begin when the context is done; but once sent,
 *   they are not stopped: nobody would know whether there is a savepoint to roll back to.
 * - "other": belongs to the context like any query.
 */
export type Statement = "begin" | "rollback" | "commit" | "savepoint" | "other";

export function statementOf(text: unknown): Statement {
  if (typeof text !== "string") return "other";
  const word =
    /(?:(rollback|abort)|(commit|end)|(begin|start)|savepoint|release)\b(?!\s+prepared\b)/iy;
  word.lastIndex = startOf(text);
  const found = word.exec(text);
  if (found === null) return "other";
  if (found[1] !== undefined) return "rollback";
  if (found[2] !== undefined) return "commit";
  return found[3] !== undefined ? "begin" : "savepoint";
}

const SPACE = " \t\n\r\f\v";

/** Behind the comments that ORMs and tracers put first. No regular expression, which would backtrack. */
export function startOf(text: string): number {
  for (let at = 0; ;) {
    while (SPACE.includes(text.charAt(at)) && at < text.length) at++;
    const end = text.startsWith("--", at)
      ? text.indexOf("\n", at)
      : text.startsWith("/*", at)
        ? text.indexOf("*/", at + 2) + 1
        : 0;
    if (end <= 0) return at;
    at = end + 1;
  }
}
