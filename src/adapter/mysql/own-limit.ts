/**
 * Whether a connection to MySQL has a time limit of the user's own. MySQL has no limit that is the
 * shorter of two, so the adapter sends none on a connection that has one.
 */
import type { ThreadOwner } from "./thread.ts";

/** The connections that were asked, and whether they have a limit. */
const known = new WeakMap<object, boolean>();

/** Returns whether the connection has a limit of its own, or `undefined` if it was not asked yet. */
export function hasOwnLimit({ key }: ThreadOwner): boolean | undefined {
  return known.get(key);
}

/** Asks the server, once for each physical connection. Never rejects: without an answer, there may be a limit. */
export async function readOwnLimit(owner: ThreadOwner): Promise<void> {
  let limit: unknown;
  try {
    limit = await owner.readValue("select @@max_execution_time");
  } catch {
    // The next statement reports a broken connection.
  }
  known.set(owner.key, Number(limit ?? 1) !== 0);
}

/** Called with each statement of the user. One that names the variable probably sets it. */
export function noteOwnLimit({ key }: ThreadOwner, sql: string): void {
  if (/max_execution_time/i.test(sql)) known.set(key, true);
}
