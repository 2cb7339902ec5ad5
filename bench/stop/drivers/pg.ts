import { background, withCancel, withTimeout, type Context } from "eightysix";
import { withContext } from "eightysix/pg";
import postgres from "pg";
import type { Arm, Driver, Work } from "../driver.ts";
import { WORK } from "../driver.ts";
import { ALONE, CPU, observe, SLEEP } from "../postgres.ts";
import { promiseRace, sizeOf, timeLimit, withOurs } from "../ways.ts";

export const pg: Driver = {
  name: "pg",
  package: "pg",
  async open(servers) {
    const url = await servers.postgres();
    const pools: postgres.Pool[] = [];
    // Four connections: with one, a query would wait for the query that the last attempt left
    // running.
    const newPool = (): postgres.Pool => {
      const pool = new postgres.Pool({ connectionString: url, max: 4, options: ALONE });
      pool.on("error", () => undefined);
      pools.push(pool);
      return pool;
    };
    const observer = await observe(url);
    const pool = newPool();
    const db = withContext(pool);
    const work = (name: string, sql: string): Work => {
      const text = `/* bench ${name} */ ${sql}`;
      return {
        name,
        running: () => observer.running(text),
        race: promiseRace(() => pool.query(text)),
        own: timeLimit("query_timeout", (query_timeout) =>
          pool.query({ text, query_timeout } as postgres.QueryConfig),
        ),
        ours: withOurs((ctx) => db.query(ctx, text)),
      };
    };
    const size = await sizeOf((n) => pool.query(CPU(n)));
    return {
      server: observer.server,
      bare: observer.bare,
      works: [work("sleep", SLEEP(WORK / 1_000)), work("CPU", CPU(size))],
      costs: { what: "SELECT 1", arms: arms(newPool()) },
      close: () => Promise.all([...pools.map((one) => one.end()), observer.close()]),
    };
  },
};

/** All arms use one connection, because the CPU of its backend matters more than the arm. */
function arms(pool: postgres.Pool): Arm[] {
  const text = "SELECT 1 AS n";
  const arm = (name: string, once: (pool: postgres.Pool) => () => Promise<unknown>): Arm => ({
    name,
    once: once(pool),
    is: (answer) => (answer as postgres.QueryResult<{ n: number }>).rows[0]?.n === 1,
  });
  const ours = (name: string, context: () => Context & Disposable, serverTimeout = false): Arm =>
    arm(name, (pool) => {
      const db = withContext(pool, { serverTimeout });
      return async () => {
        using ctx = context();
        return await db.query(ctx, text);
      };
    });
  const bare = (pool: postgres.Pool) => () => pool.query(text);
  return [
    arm("pool.query", bare),
    arm("pool.query again (control)", bare),
    arm("connect, query, release by hand", (pool) => async () => {
      const client = await pool.connect();
      try {
        return await client.query(text);
      } finally {
        client.release();
      }
    }),
    arm("**ours**, one live context", (pool) => {
      const db = withContext(pool);
      const ctx = withCancel(background());
      return () => db.query(ctx, text);
    }),
    ours("**ours**, a context for each request", () => withCancel(background())),
    ours("**ours**, with a deadline", () => withTimeout(background(), 30_000)),
    ours(
      "**ours**, with a deadline, `serverTimeout: true`",
      () => withTimeout(background(), 30_000),
      true,
    ),
  ];
}
