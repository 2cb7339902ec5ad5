/** eightysix/pg and the stopping protocol. */
import pg from "pg";
import { afterAll, beforeAll, describe, test } from "vitest";
import type { Context } from "../index.ts";
import { postgresUrl } from "../../test/support/postgres.ts";
import {
  describeAdapter,
  postgresMessages,
  type Task,
  type TransactionUnderTest,
} from "../testing/conformance/index.ts";
import { bind, withContext, type ContextQueries, type ContextTransaction } from "./index.ts";

const TABLE = `conformance_${process.pid}_pg`;
const url = new URL(postgresUrl());

let observer: pg.Client;
beforeAll(async () => {
  observer = new pg.Client({ connectionString: url.href });
  await observer.connect();
  await observer.query(`create table ${TABLE} (n int)`);
});
afterAll(async () => {
  await observer.query(`drop table ${TABLE}`);
  await observer.end();
});

type Queries = Pick<ContextQueries<pg.Pool>, "query">;

async function sleep(db: Queries, ctx: Context, { i, ms, tag }: Task): Promise<unknown> {
  const text = `select $1::int as i, pg_sleep($2) /* ${tag} */`;
  const { rows } = await db.query<{ i: number }>(ctx, text, [i, ms / 1000]);
  return rows[0]?.i;
}

const transaction = (tx: ContextTransaction<pg.Pool>): TransactionUnderTest => ({
  run: (ctx, task) => sleep(tx, ctx, task),
  write: (ctx, n) => tx.query(ctx, `insert into ${TABLE} values ($1)`, [n]),
  nested: (ctx, fn) => tx.transaction(ctx, (inner) => fn(transaction(inner))),
});

const code = (error: unknown): unknown => (error as { code?: unknown }).code;

describeAdapter(
  { describe, test },
  {
    name: "eightysix/pg",
    server: { host: url.hostname, port: Number(url.port) },
    open({ host, port, connections, stopTimeout }) {
      const at = new URL(url);
      at.host = `${host}:${port}`;
      const name = `conformance ${process.pid} ${port}`;
      const pool = new pg.Pool({
        connectionString: at.href,
        max: connections,
        application_name: name,
      });
      pool.on("error", () => undefined); // the tests break idle connections
      return {
        db: { ...withContext(pool, { stopTimeout }), pool },
        close: () => pool.end(),
        pool: {
          total: () => pool.totalCount,
          idle: () => pool.idleCount,
          waiting: () => pool.waitingCount,
        },
        async openTransactions() {
          const { rows } = await observer.query<{ n: number }>(
            "select count(*)::int as n from pg_stat_activity where application_name = $1 and state like 'idle in transaction%'",
            [name],
          );
          return rows[0]?.n ?? 0;
        },
      };
    },
    run: sleep,
    async quick(db, ctx, i) {
      const { rows } = await db.query<{ i: number }>(ctx, "select $1::int as i", [i]);
      return rows[0]?.i;
    },
    async isRunning(tag) {
      const { rows } = await observer.query(
        "select 1 from pg_stat_activity where pid <> pg_backend_pid() and state = 'active' and position($1 in query) > 0",
        [tag],
      );
      return rows.length > 0;
    },
    // A CancelRequest: its length, 16, and its code, 80877102.
    isStopRequest: (bytes) =>
      bytes.length === 16 && bytes.readInt32BE(0) === 16 && bytes.readInt32BE(4) === 80877102,
    split: postgresMessages,
    fail: (db, ctx) => db.query(ctx, "select 1 / 0"),
    isFailure: (error) => code(error) === "22012",
    transaction: (db, ctx, fn) => db.transaction(ctx, (tx) => fn(transaction(tx))),
    async committed() {
      const { rows } = await observer.query<{ n: number }>(`delete from ${TABLE} returning n`);
      return rows.map(({ n }) => n);
    },
    connection: (db, ctx, fn) =>
      db.connection(ctx, (own) =>
        fn({
          run: (ctx, task) => sleep(own, ctx, task),
          begin: (ctx) => own.query(ctx, "begin"),
          write: (ctx, n) => own.query(ctx, `insert into ${TABLE} values ($1)`, [n]),
        }),
      ),
    stream(db, ctx, { count, ms, tag }) {
      const text = `select g as n, pg_sleep($2) /* ${tag} */ from generate_series(1, $1) g`;
      return db.stream<{ n: number }>(ctx, { text, rows: 2 }, [count, ms / 1000]);
    },
    forms: {
      async "a query of a pool that is bound to a context"(db, ctx, { i, ms, tag }) {
        const text = `select $1::int as i, pg_sleep($2) /* ${tag} */`;
        const { rows } = await bind(ctx, db.pool).query<{ i: number }>(text, [i, ms / 1000]);
        return rows[0]?.i;
      },
    },
  },
);
