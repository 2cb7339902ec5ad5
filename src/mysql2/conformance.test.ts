/** eightysix/mysql2 and the stopping protocol. */
import mysql from "mysql2/promise";
import { afterAll, beforeAll, test } from "vitest";
import type { Context } from "../index.ts";
import { describeMariadb, mariadbUrl } from "../../test/support/mariadb.ts";
import {
  describeAdapter,
  mysqlPackets,
  type Task,
  type TransactionUnderTest,
} from "../testing/conformance/index.ts";
import { withContext, type ContextQueries, type ContextTransaction } from "./index.ts";

const TABLE = `conformance_${process.pid}_mysql2`;

let observer: mysql.Connection;
const rowsOf = async (sql: string, values: unknown[] = []): Promise<mysql.RowDataPacket[]> =>
  (await observer.query<mysql.RowDataPacket[]>(sql, values))[0];

type Queries = Pick<ContextQueries<mysql.Pool>, "query" | "execute">;

const sleep =
  (method: "query" | "execute") =>
  async (db: Queries, ctx: Context, { i, ms, tag }: Task): Promise<unknown> => {
    const text = `select ? as i, sleep(?) /* ${tag} */`;
    const [rows] = await db[method]<mysql.RowDataPacket[]>(ctx, text, [i, ms / 1000]);
    return Number(rows[0]?.["i"]);
  };
const query = sleep("query");
const execute = sleep("execute");

const transaction = (tx: ContextTransaction<ContextQueries<mysql.Pool>>): TransactionUnderTest => ({
  run: (ctx, task) => query(tx, ctx, task),
  write: (ctx, n) => tx.query(ctx, `insert into ${TABLE} values (?)`, [n]),
  nested: (ctx, fn) => tx.transaction(ctx, (inner) => fn(transaction(inner))),
});

const server = (): { host: string; port: number } => {
  const { hostname, port } = new URL(mariadbUrl());
  return { host: hostname, port: Number(port || 3306) };
};

describeMariadb("on MariaDB", () => {
  beforeAll(async () => {
    observer = await mysql.createConnection(mariadbUrl());
    await observer.query(`create table ${TABLE} (n int)`);
  });
  afterAll(async () => {
    await observer.query(`drop table ${TABLE}`);
    await observer.end();
  });

  describeAdapter(
    { describe: describeMariadb, test },
    {
      name: "eightysix/mysql2",
      server,
      open({ host, port, connections, stopTimeout }) {
        const url = new URL(mariadbUrl());
        url.host = `${host}:${port}`;
        const pool = mysql.createPool({ uri: url.href, connectionLimit: connections });
        const core = pool.pool as unknown as Record<string, { length: number }>;
        const length =
          (name: string): (() => number) =>
          () =>
            core[name]?.length ?? 0;
        return {
          db: withContext(pool, { stopTimeout }),
          close: () => pool.end(),
          pool: {
            total: length("_allConnections"),
            idle: length("_freeConnections"),
            waiting: length("_connectionQueue"),
          },
          async openTransactions() {
            const [rows] = await pool.query<mysql.RowDataPacket[]>("select @@in_transaction as n");
            return Number(rows[0]?.["n"]);
          },
        };
      },
      run: query,
      async quick(db, ctx, i) {
        const [rows] = await db.query<mysql.RowDataPacket[]>(ctx, "select ? as i", [i]);
        return Number(rows[0]?.["i"]);
      },
      async isRunning(tag) {
        const rows = await rowsOf(
          "select id from information_schema.processlist where id <> connection_id() and command in ('Query', 'Execute') and locate(?, info) > 0",
          [tag],
        );
        return rows.length > 0;
      },
      isStopRequest: (bytes) => bytes.includes("KILL QUERY"),
      split: mysqlPackets,
      fail: (db, ctx) => db.query(ctx, "select * from no_such_table"),
      isFailure: (error) => (error as { errno?: unknown }).errno === 1146,
      transaction: (db, ctx, fn) => db.transaction(ctx, (tx) => fn(transaction(tx))),
      async committed() {
        const rows = await rowsOf(`select n from ${TABLE}`);
        await observer.query(`delete from ${TABLE}`);
        return rows.map((row) => Number(row["n"]));
      },
      connection: (db, ctx, fn) =>
        db.connection(ctx, (own) =>
          fn({
            run: (ctx, task) => query(own, ctx, task),
            begin: (ctx) => own.query(ctx, "begin"),
            write: (ctx, n) => own.query(ctx, `insert into ${TABLE} values (?)`, [n]),
          }),
        ),
      stream(db, ctx, { count, ms, tag }) {
        const text = `select seq as n, sleep(?) /* ${tag} */ from seq_1_to_${count}`;
        return db.stream<{ n: number }>(ctx, text, [ms / 1000]);
      },
      forms: { "a prepared statement": (db, ctx, task) => execute(db, ctx, task) },
    },
  );
});
