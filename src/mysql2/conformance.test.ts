/** eightysix/mysql2 and the stopping protocol. */
import mysql from "mysql2/promise";
import type { Context } from "../index.ts";
import { holdAdapter } from "../../test/support/conformance.ts";
import { FAILING, partsOn, worksFor } from "../../test/support/mysql/conformance.ts";
import { describeServers, sequence, urlAt } from "../../test/support/mysql/servers.ts";
import type { Task, TransactionUnderTest } from "../testing/conformance/index.ts";
import { withContext, type ContextQueries, type ContextTransaction } from "./index.ts";

const TABLE = `conformance_${process.pid}_mysql2`;

type Queries = Pick<ContextQueries<mysql.Pool>, "query" | "execute">;
type Db = ReturnType<typeof withContext<mysql.Pool>>;

const work =
  (method: "query" | "execute") =>
  async (db: Queries, ctx: Context, { i, ms, tag }: Task): Promise<unknown> => {
    const [expression, value] = worksFor(ms);
    const text = `select ? as i, ${expression} /* ${tag} */`;
    const [rows] = await db[method]<mysql.RowDataPacket[]>(ctx, text, [i, value]);
    return Number(rows[0]?.["i"]);
  };
const query = work("query");
const execute = work("execute");

const transaction = (tx: ContextTransaction<ContextQueries<mysql.Pool>>): TransactionUnderTest => ({
  run: (ctx, task) => query(tx, ctx, task),
  write: (ctx, n) => tx.query(ctx, `insert into ${TABLE} values (?)`, [n]),
  nested: (ctx, fn) => tx.transaction(ctx, (inner) => fn(transaction(inner))),
});

describeServers("the adapter", (server) => {
  holdAdapter<Db>(server.describe, {
    ...partsOn(server, TABLE),
    name: "eightysix/mysql2",
    open({ host, port, connections, stopTimeout }) {
      const uri = urlAt(server, { host, port });
      const pool = mysql.createPool({ uri, connectionLimit: connections });
      const core = pool.pool as unknown as Record<string, { length: number }>;
      const length = (name: string) => () => core[name]?.length ?? 0;
      return {
        db: withContext(pool, { stopTimeout }),
        close: () => pool.end(),
        pool: {
          total: length("_allConnections"),
          idle: length("_freeConnections"),
          waiting: length("_connectionQueue"),
        },
        async openTransactions() {
          const [rows] = await pool.query<mysql.RowDataPacket[]>(server.inTransaction);
          return Number(rows[0]?.["n"]);
        },
      };
    },
    run: query,
    async quick(db, ctx, i) {
      const [rows] = await db.query<mysql.RowDataPacket[]>(ctx, "select ? as i", [i]);
      return Number(rows[0]?.["i"]);
    },
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
      return db.stream<{ n: number }>(ctx, text, [value]);
    },
    forms: { "a prepared statement": execute },
  });
});
