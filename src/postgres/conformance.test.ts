/** eightysix/postgres and the stopping protocol. */
import postgres from "postgres";
import { describe } from "vitest";
import type { Context } from "../index.ts";
import { AFTER_A_STOP, holdAdapter, onlyGroups } from "../../test/support/conformance.ts";
import { FAILING, onPostgres } from "../../test/support/postgres-conformance.ts";
import { postgresUrl, trustAddress } from "../../test/support/postgres.ts";
import { CANCELS } from "../../test/support/race.ts";
import type { Task, TransactionUnderTest } from "../testing/conformance/index.ts";
import { withContext, type ContextDatabase } from "./index.ts";

const TABLE = `conformance_${process.pid}_postgres`;
const { shared, openTransactions } = onPostgres(TABLE);

interface Db {
  readonly sql: postgres.Sql;
  readonly db: ContextDatabase;
}

/** Returns a function that runs a task with objects of this kind. */
const sleepWith =
  (sql: postgres.Sql) =>
  async (db: Pick<ContextDatabase, "query">, ctx: Context, { i, ms, tag }: Task) => {
    const query = sql<{ i: number }[]>`
      select ${i}::int as i, pg_sleep(${ms / 1000}) ${sql.unsafe(`/* ${tag} */`)}`;
    return (await db.query(ctx, query))[0]?.i;
  };

const insert = (sql: postgres.Sql, n: number) => sql`insert into ${sql(TABLE)} values (${n})`;

type Tx = Parameters<Parameters<ContextDatabase["transaction"]>[1]>[0];

const transaction = (sql: postgres.Sql, tx: Tx): TransactionUnderTest => ({
  run: (ctx, task) => sleepWith(sql)(tx, ctx, task),
  write: (ctx, n) => tx.query(ctx, insert(sql, n)),
  nested: (ctx, fn) => tx.transaction(ctx, (inner) => fn(transaction(sql, inner))),
});

for (const onCancel of ["auto", "reuse"] as const) {
  holdAdapter<Db>(
    onCancel === "auto" ? describe : onlyGroups(describe, AFTER_A_STOP),
    {
      ...shared,
      name: `eightysix/postgres with onCancel "${onCancel}"`,
      documented: { afterStop: onCancel },
      open({ host, port, connections, stopTimeout }) {
        trustAddress({ host, port }); // the relay closes a connection when the server does
        const application_name = `conformance ${process.pid} ${port}`;
        const sql = postgres(postgresUrl({ host, port }), {
          max: connections,
          backoff: () => 0.02,
          connection: { application_name },
          // The server keeps a statement for each text, and each task has a text of its own.
          prepare: CANCELS < 10_000,
        });
        return {
          db: { sql, db: withContext(sql, { stopTimeout, onCancel }) },
          close: () => sql.end(),
          openTransactions: () => openTransactions(application_name),
        };
      },
      run: ({ sql, db }, ctx, task) => sleepWith(sql)(db, ctx, task),
      async quick({ sql, db }, ctx, i) {
        return (await db.query(ctx, sql<{ i: number }[]>`select ${i}::int as i`))[0]?.i;
      },
      fail: ({ sql, db }, ctx) => db.query(ctx, sql.unsafe(FAILING)),
      transaction: ({ sql, db }, ctx, fn) => db.transaction(ctx, (tx) => fn(transaction(sql, tx))),
      connection: ({ sql, db }, ctx, fn) =>
        db.connection(ctx, (own) =>
          fn({
            run: (ctx, task) => sleepWith(sql)(own, ctx, task),
            begin: (ctx) => own.query(ctx, sql`begin`),
            write: (ctx, n) => own.query(ctx, insert(sql, n)),
          }),
        ),
      stream({ sql, db }, ctx, { count, ms, tag }) {
        const query = sql<{ n: number }[]>`
      select g as n, pg_sleep(${ms / 1000}) ${sql.unsafe(`/* ${tag} */`)}
      from generate_series(1, ${count}::int) g`;
        return db.stream(ctx, query, { rows: 2 });
      },
      forms: {
        async "a query of two statements"({ sql, db }, ctx, { i, ms, tag }) {
          const text = `select ${i} as i; select pg_sleep(${ms / 1000}) /* ${tag} */`;
          const results = (await db.query(ctx, sql.unsafe(text))) as unknown as { i: number }[][];
          return results[0]?.[0]?.i;
        },
      },
    },
    {
      "an error of the server arrives unchanged if the context ends before the answer has arrived":
        "the lease of a connection begins with an empty query, whose answer the test holds back",
    },
  );
}
