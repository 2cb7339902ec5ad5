/** eightysix/pg and the stopping protocol. */
import { DrizzleQueryError, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import pg from "pg";
import { describe } from "vitest";
import { runWithContext } from "../current/index.ts";
import type { Context } from "../index.ts";
import { AFTER_A_STOP, holdAdapter, onlyGroups } from "../../test/support/conformance.ts";
import { FAILING, onPostgres } from "../../test/support/postgres-conformance.ts";
import { postgresUrl, trustAddress } from "../../test/support/postgres.ts";
import type { Task, TransactionUnderTest } from "../testing/conformance/index.ts";
import {
  bind,
  contextPool,
  withContext,
  type ContextQueries,
  type ContextTransaction,
} from "./index.ts";

const TABLE = `conformance_${process.pid}_pg`;
const { shared, openTransactions } = onPostgres(TABLE);

type Queries = Pick<ContextQueries<pg.Pool>, "query">;

const textOf = (tag: string): string => `select $1::int as i, pg_sleep($2) /* ${tag} */`;

async function sleep(db: Queries, ctx: Context, { i, ms, tag }: Task): Promise<unknown> {
  const { rows } = await db.query<{ i: number }>(ctx, textOf(tag), [i, ms / 1000]);
  return rows[0]?.i;
}

/** Runs the same query with an object of pg that has a context by itself. */
async function boundSleep(
  db: Pick<pg.Pool, "query"> | Pick<pg.PoolClient, "query">,
  { i, ms, tag }: Task,
): Promise<unknown> {
  const { rows } = await db.query<{ i: number }>(textOf(tag), [i, ms / 1000]);
  return rows[0]?.i;
}

async function clientSleep(pool: pg.Pool, task: Task): Promise<unknown> {
  const client = await pool.connect();
  try {
    return await boundSleep(client, task);
  } finally {
    client.release();
  }
}

/** Drizzle wraps each error of its driver. `cause` is that of the driver. */
async function drizzleSleep(pool: pg.Pool, { i, ms, tag }: Task): Promise<unknown> {
  try {
    return await drizzle(pool).transaction(async (tx) => {
      const query = sql`select ${i}::int as i, pg_sleep(${ms / 1000}) ${sql.raw(`/* ${tag} */`)}`;
      return (await tx.execute<{ i: number }>(query)).rows[0]?.i;
    });
  } catch (error) {
    throw error instanceof DrizzleQueryError ? error.cause : error;
  }
}

const transaction = (tx: ContextTransaction<pg.Pool>): TransactionUnderTest => ({
  run: (ctx, task) => sleep(tx, ctx, task),
  write: (ctx, n) => tx.query(ctx, `insert into ${TABLE} values ($1)`, [n]),
  nested: (ctx, fn) => tx.transaction(ctx, (inner) => fn(transaction(inner))),
});

for (const onCancel of ["auto", "reuse"] as const) {
  holdAdapter(onCancel === "auto" ? describe : onlyGroups(describe, AFTER_A_STOP), {
    ...shared,
    name: `eightysix/pg with onCancel "${onCancel}"`,
    documented: { afterStop: onCancel },
    open({ host, port, connections, stopTimeout }) {
      trustAddress({ host, port }); // the relay closes a connection when the server does
      const application_name = `conformance ${process.pid} ${port}`;
      // Without a current context, a pool of this class is like any other.
      const pool = new (contextPool(pg.Pool, { stopTimeout, onCancel }))({
        connectionString: postgresUrl({ host, port }),
        max: connections,
        application_name,
      });
      // The tests break connections, also while they are leased.
      pool.on("error", () => undefined);
      pool.on("connect", (client) => client.on("error", () => undefined));
      const bound = (ctx: Context): pg.Pool => bind(ctx, pool, { stopTimeout, onCancel });
      return {
        db: { ...withContext(pool, { stopTimeout, onCancel }), pool, bound },
        close: () => pool.end(),
        pool: {
          total: () => pool.totalCount,
          idle: () => pool.idleCount,
          waiting: () => pool.waitingCount,
        },
        openTransactions: () => openTransactions(application_name),
      };
    },
    run: sleep,
    async quick(db, ctx, i) {
      const { rows } = await db.query<{ i: number }>(ctx, "select $1::int as i", [i]);
      return rows[0]?.i;
    },
    fail: (db, ctx) => db.query(ctx, FAILING),
    transaction: (db, ctx, fn) => db.transaction(ctx, (tx) => fn(transaction(tx))),
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
      "a query of a bound pool": (db, ctx, task) => boundSleep(db.bound(ctx), task),
      "a query of a client of a bound pool": (db, ctx, task) => clientSleep(db.bound(ctx), task),
      "a query of a context pool": (db, ctx, task) =>
        runWithContext(ctx, () => boundSleep(db.pool, task)),
      "a query of a client of a context pool": (db, ctx, task) =>
        runWithContext(ctx, () => clientSleep(db.pool, task)),
      "a transaction of Drizzle": (db, ctx, task) => drizzleSleep(db.bound(ctx), task),
    },
  });
}
