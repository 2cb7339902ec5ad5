/** Queries through PgBouncer and pgpool-II stop on the server, and no cancel request hits another one. */
import { beforeAll, describe, expect, test, vi } from "vitest";
import { startPgbouncer } from "../../servers/pgbouncer.ts";
import { startPgpool } from "../../servers/pgpool.ts";
import type { Server } from "../../servers/server.ts";
import { background, withCancel } from "../../src/index.ts";
import { countVictims } from "../support/pooler/count-victims.ts";
import { drivers, forms, type DriverName } from "../support/pooler/drivers.ts";
import { mark, observer, postgresUrl, until } from "../support/postgres.ts";
import { SEED, tell } from "../support/race.ts";
import { hasServer, type ServerName } from "../support/server.ts";

const cancels = Number(process.env["EIGHTYSIX_TEST_CANCELS"] ?? 10);

vi.setConfig({ testTimeout: 60_000 + cancels * 1_000 });

/** How many connections each pool has. */
const CONNECTIONS = 6;

interface Pooler {
  readonly name: string;
  readonly server: ServerName;
  start(): Promise<Server>;
}

// In pgpool-II, which has no transaction mode, a connection and a cancel request take a process each.
// It closes the connection of a cancel request only a second after it has sent the request.
const poolers: Pooler[] = [
  ...(["session", "transaction"] as const).map((poolMode) => ({
    name: `PgBouncer in ${poolMode} mode`,
    server: "pgbouncer" as const,
    start: () =>
      startPgbouncer({
        target: postgresUrl(),
        poolMode,
        settings: { default_pool_size: poolMode === "session" ? CONNECTIONS : CONNECTIONS / 2 },
      }),
  })),
  ...["off", "on"].map((cache) => ({
    name: `pgpool-II with connection_cache = ${cache}`,
    server: "pgpool" as const,
    start: () =>
      startPgpool({
        target: postgresUrl(),
        settings: { connection_cache: cache, num_init_children: 2 * CONNECTIONS + 4 },
      }),
  })),
];

describe.each(poolers)("$name", (one) => {
  const { name, server } = one;
  const its = test.skipIf(!hasServer(server));
  let url: string;
  beforeAll(async () => {
    if (!hasServer(server)) return undefined;
    const pooler = await one.start();
    ({ url } = pooler);
    return () => pooler.stop();
  });

  its.each(forms)("a $form of $driver stops on the server", async ({ driver, form }) => {
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
  });

  its.each(Object.keys(drivers) as DriverName[])(
    `${cancels} cancel requests hit no other query of %s`,
    async (driver) => {
      const { query } = drivers[driver]({ url, max: CONNECTIONS });
      const { failures, ...count } = await countVictims(query, {
        ...{ cancels, seed: SEED, workers: CONNECTIONS },
      });
      tell({ behavior: name, driver, ...count });
      if (failures.length > 0) throw failures[0];
      expect(count.victims).toBe(0);
      expect(count.canceled).toBeGreaterThan(0);
    },
  );
});
