/** Checks of a transaction's options: its isolation level, and unknown options. */
import { show } from "../internal.ts";

const LEVELS = ["read uncommitted", "read committed", "repeatable read", "serializable"] as const;

/** An isolation level of SQL. */
export type IsolationLevel = (typeof LEVELS)[number];

/** Returns the SQL for an isolation level. Throws a TypeError for anything else. */
export function isolationLevel(level: IsolationLevel): string {
  if (!LEVELS.includes(level)) {
    throw new TypeError(`isolation is one of ${LEVELS.join(", ")}; got ${show(level)}`);
  }
  return `ISOLATION LEVEL ${level.toUpperCase()}`;
}

/**
 * Throws a TypeError if `rest` has a property. `rest` is what remains of the options after the known
 * ones were taken out, and `known` lists those for the message.
 */
export function needNoMore(rest: object, known: string): void {
  for (const name of Object.keys(rest)) {
    throw new TypeError(`transaction has no option ${name}; its options are: ${known}`);
  }
}
