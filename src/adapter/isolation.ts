/** Checks the isolation level among a transaction's options. */
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
