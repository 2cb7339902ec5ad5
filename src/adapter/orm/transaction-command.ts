/** Recognizes the statements that begin, divide or end a transaction. */

/**
 * The effect of a statement on a transaction. It decides whether the statement is sent when its
 * context is done, and whether a statement that was sent is stopped:
 *
 * - "begin": also SET TRANSACTION, which goes before it. Sent and not stopped. It does no harm, and
 *   Drizzle never releases its connection if a BEGIN fails.
 * - "rollback": sent and not stopped, because it cleans up.
 * - "commit": not sent as a COMMIT when the context is done. A COMMIT that was sent is not stopped.
 * - "savepoint": SAVEPOINT and RELEASE. Not sent when the context is done. A statement that was
 *   sent is not stopped, because after a stop it would be unknown whether there is a savepoint to
 *   roll back to.
 * - "other": stops with its context, like any query.
 */
export type TransactionCommand = "begin" | "rollback" | "commit" | "savepoint" | "other";

/** Classifies a statement by its first word. Comments before that word are skipped. */
export function transactionCommandOf(text: unknown): TransactionCommand {
  if (typeof text !== "string") return "other";
  const word =
    /(?:(rollback|abort)|(commit|end)|(begin|start|set\s+transaction)|savepoint|release)\b(?!\s+prepared\b)/iy;
  word.lastIndex = firstWordIn(text);
  const found = word.exec(text);
  if (found === null) return "other";
  if (found[1] !== undefined) return "rollback";
  if (found[2] !== undefined) return "commit";
  return found[3] !== undefined ? "begin" : "savepoint";
}

/**
 * Returns whether a text goes on after its first statement. Comments at the end do not count. A
 * semicolon inside quotes or a comment counts as the end of the first statement.
 */
export function hasSeveralStatements(text: unknown): boolean {
  if (typeof text !== "string") return false;
  const end = text.indexOf(";", firstWordIn(text));
  return end !== -1 && firstWordIn(text, end + 1) < text.length;
}

const READS_OR_WRITES_ROWS = /(?:select|insert|update|delete|merge|with|values|table)\b/iy;

/**
 * Returns whether a text is one statement that reads or writes rows. Such a statement commits
 * nothing by itself, unlike CALL and DO, and runs beside others in a transaction, unlike VACUUM.
 */
export function isOneReadOrWrite(text: string): boolean {
  READS_OR_WRITES_ROWS.lastIndex = firstWordIn(text);
  return READS_OR_WRITES_ROWS.test(text) && !hasSeveralStatements(text);
}

const SPACE = " \t\n\r\f\v";

/**
 * Returns the index after spaces and comments, which ORMs and tracers add. Uses no regular
 * expression, because that would backtrack on long comments.
 */
function firstWordIn(text: string, start = 0): number {
  for (let at = start; ;) {
    while (SPACE.includes(text.charAt(at)) && at < text.length) at++;
    const end = text.startsWith("--", at)
      ? endOfLine(text, at)
      : text.startsWith("/*", at)
        ? text.indexOf("*/", at + 2) + 1
        : 0;
    if (end <= 0) return at;
    at = end + 1;
  }
}

function endOfLine(text: string, start: number): number {
  const end = text.indexOf("\n", start);
  return end === -1 ? text.length - 1 : end;
}
