/**
 * Queries through pgpool-II, which pools by session only. It closes the connection of a cancel request a
 * second after it has sent the request to PostgreSQL, and keeps one of its processes busy meanwhile.
 */
import { beforeAll, expect, test, vi } from "vitest";
import { startPgpool } from "../../servers/pgpool.ts";
import { background, withCancel } from "../../src/index.ts";
import { countVictims } from "../support/pooler/count-victims.ts";
import { drivers, forms } from "../support/pooler/drivers.ts";
import { mark, observer, postgresUrl, until } from "../support/postgres.ts";
import { SEED, tell } from "../support/race.ts";
import { describeWith } from "../support/server.ts";

const cancels = Number(process.env["EIGHTYSIX_TEST_CANCELS"] ?? 20);

vi.setConfig({ testTimeout: 60_000 + cancels * 1_000 });

/** Each takes a process of pgpool-II, and so does its cancel request. */
const CONNECTIONS = 6;

describeWith("pgpool").each(["off", "on"])("with connection_cache = %s", (cache) => {
  let url: string;
  beforeAll(async () => {
    const pgpool = await startPgpool({
      target: postgresUrl(),
      settings: { connection_cache: cache, num_init_children: 2 * CONNECTIONS + 4 },
    });
    ({ url } = pgpool);
    return () => pgpool.stop();
  });

  // Each takes a second.
  test.each(cache === "off" ? forms : [])(
    "a $form of $driver stops on the server",
    async ({ driver, form }) => {
      const look = await observer();
      const db = drivers[driver]({ url, max: 1 });
      using ctx = withCancel(background());
      const tag = mark();
      const running = db[form]?.(ctx, `select 1 as i, pg_sleep(60) ${tag}`);
      running?.catch(() => undefined);
      await until(async () => (await look.running(tag)) === 1);
      ctx.cancel();
      await until(async () => (await look.running(tag)) === 0);
      await expect(running).rejects.toBe(ctx.err());
      expect(await db.query(background(), "select 3 as i")).toBe(3);
    },
  );

  test.each(["pg", "Drizzle over bind", "Drizzle over contextPool", "postgres.js"] as const)(
    `${cancels} cancel requests hit no other query of %s`,
    async (driver) => {
      const { query } = drivers[driver]({ url, max: CONNECTIONS });
      const { failures, ...count } = await countVictims(query, {
        ...{ cancels, seed: SEED, workers: CONNECTIONS },
      });
      tell({ behavior: `pgpool-II, connection_cache ${cache}`, driver, ...count });
      if (failures.length > 0) throw failures[0];
      expect(count.victims).toBe(0);
      expect(count.canceled).toBeGreaterThan(0);
    },
  );
});
