/**
 * Late KILLs beside statements that are never canceled, which must not become wrong victims.
 *
 * The statements compute instead of calling SLEEP(). MariaDB's SLEEP() waits for a mutex while it
 * holds one that all sleepers share, so the KILL of one sleeper can take two seconds, and longer if
 * it waits for another KILL.
 */
import { expect, test, vi } from "vitest";
import type { Context } from "../../../src/index.ts";
import { CANCELS, race, unhandledRejections } from "../race.ts";
import type { Db, TestDriver } from "./driver.ts";

/** About how many rounds of BUSY the server computes in a second. */
const ROUNDS = 4_000_000;
/** An expression that computes for as many rounds as its parameter says. */
const BUSY = "benchmark(?, sha2('x', 256))";
const rounds = (seconds: number): number => Math.ceil(seconds * ROUNDS);

/** The ways to send a statement. The answer is always `i`. */
type Form = (db: Db, ctx: Context, i: number, seconds: number) => Promise<unknown>;
const forms: [Form, ...Form[]] = [
  async (db, ctx, i, s) =>
    (await db.query(ctx, `select ? as i, ${BUSY}`, [i, rounds(s)]))[0]?.["i"],
  async (db, ctx, i, s) =>
    (await db.execute(ctx, `select ? as i, ${BUSY}`, [i, rounds(s)]))[0]?.["i"],
  (db, ctx, i, s) =>
    db.transaction(ctx, async (tx) => {
      const [row] = await tx.query(ctx, `select ? as i, ${BUSY}`, [i, rounds(s)]);
      return row?.["i"];
    }),
  async (db, ctx, i, s) => {
    const text = `select ? as i, ${BUSY} from (select 1 union all select 2 union all select 3) as three`;
    let last: unknown;
    for await (const row of db.stream(ctx, text, [i, rounds(s / 3)])) last = row["i"];
    return last;
  },
];

const formOf = (i: number): Form => forms[i % forms.length] ?? forms[0];

export function describeRace(driver: TestDriver): void {
  vi.setConfig({ testTimeout: 600_000 + CANCELS * 50 });
  const unhandled = unhandledRejections();

  driver.server.describe(`eightysix/${driver.name} on ${driver.server.title}`, () => {
    test("hits no wrong victim on a single connection of the caller", async () => {
      const { db } = await driver.connection();
      await race({
        seed: 0,
        cancels: Math.ceil(CANCELS / 4),
        workers: 2,
        guilty: (ctx, i, seconds) => formOf(i)(db, ctx, i, seconds),
        innocent: async (ctx, i) => (await db.query(ctx, "select ? as i", [i]))[0]?.["i"],
      });
      expect(unhandled).toEqual([]);
    });
  });
}
