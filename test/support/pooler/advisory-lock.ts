/** Statements that run on the server until the test says so. */
import { randomInt } from "node:crypto";
import { testClient } from "../postgres.ts";

export interface AdvisoryLock {
  readonly key: number;
  /** SQL that waits for the lock, and has it no longer when its transaction has ended. */
  readonly wait: string;
  /** Resolves with whether a statement waits for the lock. */
  isAwaited(): Promise<boolean>;
  /** Lets all who wait go on, one after the other. */
  release(): Promise<void>;
}

/** Takes an advisory lock that no other test uses. */
export async function advisoryLock(): Promise<AdvisoryLock> {
  const owner = await testClient();
  const key = randomInt(2 ** 31);
  await owner.query("select pg_advisory_lock($1)", [key]);
  return {
    key,
    wait: `pg_advisory_xact_lock(${key})`,
    async isAwaited() {
      const waiting =
        "select from pg_locks where locktype = 'advisory' and objid = $1 and not granted";
      return (await owner.query(waiting, [key])).rowCount !== 0;
    },
    async release() {
      await owner.query("select pg_advisory_unlock($1)", [key]);
    },
  };
}
