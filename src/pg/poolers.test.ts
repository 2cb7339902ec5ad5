/** Queries through PgBouncer, and queries whose client has disconnected. */
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { background, withCancel, withTimeout } from "../index.ts";
import { startPgbouncer } from "../../servers/pgbouncer.ts";
import { mark, observer, postgresUrl, testPool, until } from "../../test/support/postgres.ts";
import { describeWith } from "../../test/support/server.ts";
import { race } from "../../test/support/race.ts";
import { withContext } from "./index.ts";

describeWith("pgbouncer").each(["transaction", "session"] as const)(
  "through PgBouncer in %s mode",
  (poolMode) => {
    let url: string;
    let max: number;
    beforeAll(async () => {
      const bouncer = await startPgbouncer({
        target: postgresUrl(),
        poolMode,
        settings: { default_pool_size: 2 },
      });
      url = bouncer.url;
      // A session keeps its server connection for as long as it lives.
      max = poolMode === "session" ? 2 : 4;
      return () => bouncer.stop();
    });

    test("queries, transactions and streams stop on the server, and the connection is used again", async () => {
      const look = await observer();
      const pool = testPool({ connectionString: url, max });
      const db = withContext(pool);
      const works = [
        (ctx: ReturnType<typeof withCancel>, m: string) =>
          db.query(ctx, `select ${m} pg_sleep(60)`),
        (ctx: ReturnType<typeof withCancel>, m: string) =>
          db.transaction(ctx, (tx) => tx.query(ctx, `select ${m} pg_sleep(60)`)),
        async (ctx: ReturnType<typeof withCancel>, m: string) => {
          for await (const _ of db.stream(ctx, `select ${m} pg_sleep(60)`));
        },
      ];
      for (const work of works) {
        using ctx = withCancel(background());
        const m = mark();
        const running = work(ctx, m);
        running.catch(() => undefined);
        await until(async () => (await look.running(m)) === 1);
        ctx.cancel();
        await expect(running).rejects.toBe(ctx.err());
        await until(async () => (await look.running(m)) === 0);
        expect((await db.query(background(), "select 1 as one")).rows).toEqual([{ one: 1 }]);
      }
      expect(pool.totalCount).toBe(1); // none was lost
    });

    // PgBouncer drops a cancel request for a client that waits, so the connection must be
    // destroyed.
    test("a query that waits inside PgBouncer rejects after the stop timeout, and its connection is destroyed", async () => {
      const db = withContext(testPool({ connectionString: url, max: 4 }), { stopTimeout: 300 });
      using others = withCancel(background());
      const busy = [1, 2].map(() => db.query(others, "select pg_sleep(60)").catch(() => undefined));
      using ctx = withTimeout(background(), 300);
      await expect(db.query(ctx, "select 1")).rejects.toThrow("context deadline exceeded");
      others.cancel();
      await Promise.all(busy);
      expect((await db.query(background(), "select 1 as one")).rows).toEqual([{ one: 1 }]);
    });

    test("a query with a deadline gets a statement_timeout, and the queries after it get none", async () => {
      const db = withContext(testPool({ connectionString: url, max }), { serverTimeout: true });
      using ctx = withTimeout(background(), 60_000);
      const show = "select current_setting('statement_timeout') as t";
      const limited = await Promise.all(
        Array.from({ length: 20 }, () => db.query<{ t: string }>(ctx, show)),
      );
      for (const { rows } of limited) expect(rows[0]?.t).not.toBe("0");
      const free = await Promise.all(
        Array.from({ length: 20 }, () => db.query<{ t: string }>(background(), show)),
      );
      for (const { rows } of free) expect(rows[0]?.t).toBe("0");
    });

    test("late cancel requests hit no other query", async () => {
      const db = withContext(testPool({ connectionString: url, max }));
      const one = async (...args: Parameters<typeof db.query>): Promise<unknown> =>
        ((await db.query(...args)).rows[0] as { i: number }).i;
      await race({
        seed: 7,
        cancels: 500,
        workers: 8,
        guilty: (ctx, i, seconds) => one(ctx, "select $1::int as i, pg_sleep($2)", [i, seconds]),
        innocent: (ctx, i) => one(ctx, "select $1::int as i, pg_sleep(0.0005)", [i]),
      });
    });
  },
);

describe("with client_connection_check_interval", () => {
  test("the server ends a query whose client has disconnected", async () => {
    const look = await observer();
    const pool = testPool({ options: "-c client_connection_check_interval=50ms" });
    const m = mark();
    const client = await pool.connect();
    onTestFinished(() => client.release(true));
    client.on("error", () => undefined);
    const query = client.query(`select ${m} pg_sleep(60)`);
    query.catch(() => undefined);
    await until(async () => (await look.running(m)) === 1);
    (
      client as unknown as { connection: { stream: { destroy(): void } } }
    ).connection.stream.destroy();
    await until(async () => (await look.running(m)) === 0);
    await expect(query).rejects.toThrow();
  });
});
