/**
 * Late cancels are the main hazard: one that misses its query kills whatever runs next on that
 * connection. So: many late cancels among innocent queries on few connections, and no victims.
 */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { background, withCancel } from "../index.ts";
import { testClient, testPool, until } from "../../test/support/postgres.ts";
import { withContext } from "./index.ts";

vi.setConfig({ testTimeout: 600_000, hookTimeout: 60_000 });

const CANCELS = Number(process.env["EIGHTYSIX_TEST_CANCELS"] ?? 2_000);
const SEED = Number(process.env["EIGHTYSIX_TEST_SEED"] ?? 86);

/** mulberry32: the same numbers for the same seed. */
function random(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const unhandled: unknown[] = [];
const listen = (reason: unknown): void => void unhandled.push(reason);
beforeAll(() => void process.on("unhandledRejection", listen));
afterAll(() => void process.off("unhandledRejection", listen));

test.each([1, 4])(
  `${CANCELS} late cancels over %i connections make no victim`,
  { timeout: 600_000 },
  async (max) => {
    const draw = random(SEED + max);
    const pool = testPool({ max });
    const pids = new Set<number>();
    pool.on("connect", (client) =>
      pids.add((client as unknown as { processID: number }).processID),
    );
    const db = withContext(pool);
    const count = { canceled: 0, late: 0, innocent: 0 };

    // Every twentieth query would sleep for a minute, so that there is always something to cancel.
    const guilty = async (i: number): Promise<void> => {
      using ctx = withCancel(background());
      const query = db.query<{ i: number }>(ctx, "select $1::int as i, pg_sleep($2)", [
        i,
        i % 20 === 0 ? 60 : draw() * 0.001,
      ]);
      const delay = draw() * 4;
      if (delay < 1) setImmediate(() => ctx.cancel());
      else setTimeout(() => ctx.cancel(), delay);
      try {
        expect((await query).rows[0]!.i).toBe(i);
        count.late++;
      } catch (error) {
        expect(error).toBe(ctx.err());
        count.canceled++;
      }
    };
    const innocent = async (i: number): Promise<void> => {
      const { rows } = await db.query<{ i: number }>(
        background(),
        "select $1::int as i, pg_sleep(0.0005)",
        [i],
      );
      expect(rows[0]!.i).toBe(i);
      count.innocent++;
    };

    let left = CANCELS;
    const worker = async (): Promise<void> => {
      while (left-- > 0)
        await (draw() < 0.5 ? Promise.all([guilty(left), innocent(left)]) : guilty(left));
    };
    await Promise.all(Array.from({ length: 3 * max }, worker));

    expect(count.canceled + count.late).toBe(CANCELS);
    expect(count.canceled).toBeGreaterThan(0);
    expect(count.innocent).toBeGreaterThan(0);
    await until(() => pool.waitingCount === 0 && pool.idleCount === pool.totalCount);
    expect(pids.size).toBe(pool.totalCount); // none was destroyed
    expect(unhandled).toEqual([]);
  },
);

test(
  "late cancels on a client do not hit what its owner sends beside",
  { timeout: 600_000 },
  async () => {
    const draw = random(SEED);
    const client = await testClient();
    const db = withContext(client);
    let canceled = 0;
    for (let i = 0; i < CANCELS / 4; i++) {
      using ctx = withCancel(background());
      const query = db
        .query(ctx, "select pg_sleep($1)", [i % 20 === 0 ? 60 : draw() * 0.001])
        .catch(() => canceled++);
      const beside = client.query<{ i: number }>("select $1::int as i, pg_sleep(0.0005)", [i]);
      setTimeout(() => ctx.cancel(), draw() * 4);
      await query;
      expect((await beside).rows[0]!.i).toBe(i);
    }
    expect(canceled).toBeGreaterThan(0);
    expect(unhandled).toEqual([]);
  },
);
