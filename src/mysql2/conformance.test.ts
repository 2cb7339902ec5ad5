/** eightysix/mysql2 and the stopping protocol. */
import { DrizzleQueryError, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/mysql2";
import knex, { type Knex } from "knex";
import { CompiledQuery, Kysely, MysqlDialect } from "kysely";
import callbacks from "mysql2";
import mysql from "mysql2/promise";
import { DataSource, QueryFailedError } from "typeorm";
import { beforeAll } from "vitest";
import { runWithContext } from "../current/index.ts";
import type { Context } from "../index.ts";
import { holdAdapter } from "../../test/support/conformance.ts";
import { FAILING, partsOn, worksFor } from "../../test/support/mysql/conformance.ts";
import { describeServers, sequence, urlAt } from "../../test/support/mysql/servers.ts";
import type { Task, TransactionUnderTest } from "../testing/conformance/index.ts";
import {
  bind,
  contextPool,
  withContext,
  type ContextQueries,
  type ContextTransaction,
} from "./index.ts";

const TABLE = `conformance_${process.pid}_mysql2`;

type Queries = Pick<ContextQueries<mysql.Pool>, "query" | "execute">;
interface Db extends ReturnType<typeof withContext<mysql.Pool>> {
  /** A context pool. */
  pool: mysql.Pool;
  bound: (ctx: Context) => mysql.Pool;
  knex: Knex;
  typeorm: DataSource;
}

const work =
  (method: "query" | "execute") =>
  async (db: Queries, ctx: Context, { i, ms, tag }: Task): Promise<unknown> => {
    const [expression, value] = worksFor(ms);
    const text = `select ? as i, ${expression} /* ${tag} */`;
    const [rows] = await db[method]<mysql.RowDataPacket[]>(ctx, text, [i, value]);
    return Number(rows[0]?.["i"]);
  };
/** Returns the text and the values of the same query, for objects that have a context by themselves. */
function boundTask({ i, ms, tag }: Task): { text: string; values: number[] } {
  const [expression, value] = worksFor(ms);
  return { text: `select ? as i, ${expression} /* ${tag} */`, values: [i, value] };
}

interface Answer extends mysql.RowDataPacket {
  readonly i: unknown;
}

/**
 * Transactions of ORMs, over objects of `bind` and `contextPool`. Each ORM is held to the kit on one
 * server, because the kit takes long. The tests of the ORMs, in orm/, run on both.
 */
const ormsOnMariadb = {
  async "a transaction of Drizzle over bind"(db: Db, ctx: Context, task: Task) {
    const { text, values } = boundTask(task);
    const [first = "", second = "", third = ""] = text.split("?").map((part) => sql.raw(part));
    try {
      return await drizzle(db.bound(ctx)).transaction(async (tx) => {
        const [rows] = await tx.execute(sql`${first}${values[0]}${second}${values[1]}${third}`);
        return Number((rows as unknown as Answer[])[0]?.i);
      });
    } catch (error) {
      throw error instanceof DrizzleQueryError ? error.cause : error;
    }
  },
  async "a transaction of TypeORM over contextPool"(db: Db, ctx: Context, task: Task) {
    const { text, values } = boundTask(task);
    Object.assign(db.typeorm.driver, { pool: db.pool.pool });
    try {
      return await runWithContext(ctx, () =>
        db.typeorm.transaction(async (manager) => {
          const rows = await manager.query<Answer[]>(text, values);
          return Number(rows[0]?.i);
        }),
      );
    } catch (error) {
      throw error instanceof QueryFailedError ? error.driverError : error;
    }
  },
};

const ormsOnMysql = {
  async "a transaction of Kysely over bind"(db: Db, ctx: Context, task: Task) {
    const { text, values } = boundTask(task);
    const kysely = new Kysely({ dialect: new MysqlDialect({ pool: db.bound(ctx).pool }) });
    return await kysely.transaction().execute(async (trx) => {
      const { rows } = await trx.executeQuery<Answer>(CompiledQuery.raw(text, values));
      return Number(rows[0]?.i);
    });
  },
  async "a transaction of Knex over contextPool"(db: Db, ctx: Context, task: Task) {
    const { text, values } = boundTask(task);
    return await runWithContext(ctx, () =>
      db.knex.transaction(async (trx) => {
        const [rows] = (await trx.raw(text, values)) as [Answer[]];
        return Number(rows[0]?.i);
      }),
    );
  },
};

const query = work("query");
const execute = work("execute");

const transaction = (tx: ContextTransaction<ContextQueries<mysql.Pool>>): TransactionUnderTest => ({
  run: (ctx, task) => query(tx, ctx, task),
  write: (ctx, n) => tx.query(ctx, `insert into ${TABLE} values (?)`, [n]),
  nested: (ctx, fn) => tx.transaction(ctx, (inner) => fn(transaction(inner))),
});

describeServers("the adapter", (server) => {
  // TypeORM asks for the server's version first. Each test then has a pool of its own.
  let typeorm: DataSource;
  beforeAll(async () => {
    typeorm = new DataSource({ type: server.name, driver: callbacks, url: server.url() });
    await typeorm.initialize();
    const { pool } = typeorm.driver as unknown as { pool: callbacks.Pool };
    await pool.promise().end();
  });

  holdAdapter<Db>(server.describe, {
    ...partsOn(server, TABLE),
    name: "eightysix/mysql2",
    open({ host, port, connections, stopTimeout }) {
      const uri = urlAt(server, { host, port });
      const pool = mysql.createPool({ uri, connectionLimit: connections });
      const core = pool.pool as unknown as Record<string, { length: number }>;
      const context = contextPool(pool, { stopTimeout });
      const log = { warn: () => undefined };
      const db = knex({ client: "mysql2", connectionPool: context, log });
      const bound = (ctx: Context): mysql.Pool => bind(ctx, pool, { stopTimeout });
      const length = (name: string) => () => core[name]?.length ?? 0;
      return {
        db: { ...withContext(pool, { stopTimeout }), pool: context, bound, knex: db, typeorm },
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
    forms: {
      "a prepared statement": execute,
      async "a stream of a pool of bind"(db, ctx, task) {
        const { text, values } = boundTask(task);
        let i: unknown;
        for await (const row of db.bound(ctx).pool.query(text, values).stream()) {
          i = Number((row as Answer).i);
        }
        return i;
      },
      ...(server.name === "mariadb" ? ormsOnMariadb : ormsOnMysql),
    },
  });
});
