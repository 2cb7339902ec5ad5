/** eightysix/mariadb and the stopping protocol. */
import mariadb, { type Pool } from "mariadb";
import type { Context } from "../index.ts";
import { holdAdapter } from "../../test/support/conformance.ts";
import { FAILING, partsOn, worksFor } from "../../test/support/mysql/conformance.ts";
import { mariadbConfig } from "../../test/support/mysql/driver.ts";
import { describeServers, sequence, urlAt } from "../../test/support/mysql/servers.ts";
import type { Task, TransactionUnderTest } from "../testing/conformance/index.ts";
import { withContext, type ContextQueries, type ContextTransaction } from "./index.ts";

const TABLE = `conformance_${process.pid}_mariadb`;

type Queries = Pick<ContextQueries<Pool>, "query" | "execute">;
type Db = ReturnType<typeof withContext<Pool>>;
interface Row {
  i: number;
  n: number;
}

const work =
  (method: "query" | "execute") =>
  async (db: Queries, ctx: Context, { i, ms, tag }: Task): Promise<unknown> => {
    const [expression, value] = worksFor(ms);
    const text = `select ? as i, ${expression} /* ${tag} */`;
    return Number((await db[method]<Row[]>(ctx, text, [i, value]))[0]?.i);
  };
const query = work("query");
const execute = work("execute");

const transaction = (tx: ContextTransaction<ContextQueries<Pool>>): TransactionUnderTest => ({
  run: (ctx, task) => query(tx, ctx, task),
  write: (ctx, n) => tx.query(ctx, `insert into ${TABLE} values (?)`, [n]),
  nested: (ctx, fn) => tx.transaction(ctx, (inner) => fn(transaction(inner))),
});

describeServers("the adapter", (server) => {
  holdAdapter<Db>(server.describe, {
    ...partsOn(server, TABLE),
    name: "eightysix/mariadb",
    open({ host, port, connections, stopTimeout }) {
      const pool = mariadb.createPool({
        ...mariadbConfig(urlAt(server, { host, port })),
        connectionLimit: connections,
      });
      return {
        db: withContext(pool, { stopTimeout }),
        close: () => pool.end(),
        pool: {
          total: () => pool.totalConnections(),
          idle: () => pool.idleConnections(),
          waiting: () => pool.taskQueueSize(),
        },
        async openTransactions() {
          const rows = await pool.query<Row[]>(server.inTransaction);
          return Number(rows[0]?.n);
        },
      };
    },
    run: query,
    quick: async (db, ctx, i) => (await db.query<Row[]>(ctx, "select ? as i", [i]))[0]?.i,
    fail: (db, ctx) => db.query(ctx, FAILING),
    transaction: (db, ctx, fn) => db.transaction(ctx, (tx) => fn(transaction(tx))),
    connection: (db, ctx, fn) =>
      db.connection(ctx, (own) =>
        fn({
          run: (ctx, task) => query(own, ctx, task),
          begin: (ctx) => own.query(ctx, "begin"),
          write: (ctx, n) => own.query(ctx, `insert into ${TABLE} values (?)`, [n]),
        }),
      ),
    stream(db, ctx, { count, ms, tag }) {
      const [expression, value] = worksFor(ms);
      const text = `select seq as n, ${expression} /* ${tag} */ from ${sequence(count)}`;
      return db.stream<Row>(ctx, text, [value]);
    },
    forms: { "a prepared statement": execute },
  });
});
