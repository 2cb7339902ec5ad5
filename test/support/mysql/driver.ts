/** A common interface for mysql2 and mariadb, for the tests that both share. */
import mariadb, { type PoolConfig } from "mariadb";
import mysql from "mysql2/promise";
import { onTestFinished } from "vitest";
import type { WithContextOptions } from "../../../src/adapter/mysql/options.ts";
import type { ConnectionOptions } from "../../../src/adapter/index.ts";
import type { TransactionOptions } from "../../../src/adapter/mysql/types.ts";
import type { Context } from "../../../src/index.ts";
import { withContext as withMariadb } from "../../../src/mariadb/index.ts";
import { withContext as withMysql2 } from "../../../src/mysql2/index.ts";
import type { TestServer } from "./servers.ts";

export type Row = Record<string, unknown>;

type Sql = string | { sql: string; rowsAsArray?: boolean; timeout?: number };

/** The methods resolve with rows, without what the driver wraps them in. */
export interface Statements {
  query(ctx: Context, sql: Sql, values?: unknown[]): Promise<Row[]>;
  execute(ctx: Context, sql: Sql, values?: unknown[]): Promise<Row[]>;
  stream(ctx: Context, sql: Sql, values?: unknown[]): AsyncGenerator<Row, void, undefined>;
}
export interface Tx extends Statements {
  transaction<T>(
    ctx: Context,
    fn: (tx: Tx) => T | PromiseLike<T>,
    options?: TransactionOptions,
  ): Promise<Awaited<T>>;
}
export interface Db extends Tx {
  connection<T>(
    ctx: Context,
    fn: (db: Tx) => T | PromiseLike<T>,
    options?: ConnectionOptions,
  ): Promise<Awaited<T>>;
}

export interface TestPool {
  db: Db;
  driver: object;
  /** The number of its connections, of its idle connections, and of callers that wait for one. */
  total(): number;
  idle(): number;
  waiting(): number;
  /** Takes a connection out of the pool. Resolves with a function that gives it back. */
  take(): Promise<() => Promise<void>>;
  query(sql: string): Promise<Row[]>;
  end(): Promise<void>;
}

export interface PoolSettings extends WithContextOptions {
  url?: string;
  max?: number;
  /** Options of the driver itself. */
  more?: object;
}

/** A driver, and the server that it talks to. */
export interface TestDriver {
  readonly name: "mysql2" | "mariadb";
  readonly server: TestServer;
  /** Creates a pool that ends with the test. */
  pool(settings?: PoolSettings): TestPool;
  /** Opens a single connection that closes with the test. */
  connection(settings?: PoolSettings): Promise<{ db: Db; query(sql: string): Promise<Row[]> }>;
}

const optionsOf = ({ onCancel, stopTimeout, serverTimeout }: PoolSettings): WithContextOptions => ({
  ...(onCancel && { onCancel }),
  ...(stopTimeout !== undefined && { stopTimeout }),
  ...(serverTimeout !== undefined && { serverTimeout }),
});

/** Returns `db` with methods that resolve with the first part of mysql2's `[rows, fields]`. */
function firstOf<T extends object>(db: T): T {
  return new Proxy(db, {
    get(target, name, receiver) {
      const member: unknown = Reflect.get(target, name, receiver);
      if (typeof member !== "function") return member;
      const method = member as (...args: unknown[]) => unknown;
      if (name === "query" || name === "execute") {
        return async (...args: unknown[]) => ((await method(...args)) as unknown[])[0];
      }
      if (name !== "transaction" && name !== "connection") return method;
      return (ctx: unknown, fn: (inner: object) => unknown, ...rest: unknown[]) =>
        method(ctx, typeof fn === "function" ? (inner: object) => fn(firstOf(inner)) : fn, ...rest);
    },
  });
}

export const mysql2On = (server: TestServer): TestDriver => ({
  name: "mysql2",
  server,
  pool(settings = {}) {
    const { url = server.url(), max = 2, more } = settings;
    const pool = mysql.createPool({ uri: url, connectionLimit: max, ...more });
    let ended = false;
    const end = async (): Promise<void> => {
      if (ended) return;
      ended = true;
      await pool.end();
    };
    onTestFinished(end);
    const core = pool.pool as unknown as Record<string, { length: number }>;
    return {
      db: firstOf(withMysql2(pool, optionsOf(settings))) as unknown as Db,
      driver: pool,
      total: () => core["_allConnections"]?.length ?? 0,
      idle: () => core["_freeConnections"]?.length ?? 0,
      waiting: () => core["_connectionQueue"]?.length ?? 0,
      async take() {
        const connection = await pool.getConnection();
        return () => {
          connection.release();
          return Promise.resolve();
        };
      },
      query: async (sql) => (await pool.query(sql))[0] as Row[],
      end,
    };
  },
  async connection(settings = {}) {
    const connection = await mysql.createConnection({
      uri: settings.url ?? server.url(),
      ...settings.more,
    });
    onTestFinished(() => connection.destroy());
    return {
      db: firstOf(withMysql2(connection, optionsOf(settings))) as unknown as Db,
      query: async (sql) => (await connection.query(sql))[0] as Row[],
    };
  },
});

/** Converts a URL to the driver's options, because the driver takes no URL that begins with "mysql:". */
export function mariadbConfig(url: string): PoolConfig {
  const { hostname, port, username, password, pathname } = new URL(url);
  return {
    host: hostname,
    port: Number(port || 3306),
    user: username,
    ...(password && { password: decodeURIComponent(password) }),
    database: pathname.slice(1),
    minimumIdle: 0,
    insertIdAsNumber: true,
    bigIntAsNumber: true,
  };
}

export const mariadbOn = (server: TestServer): TestDriver => ({
  name: "mariadb",
  server,
  pool(settings = {}) {
    const { url = server.url(), max = 2, more } = settings;
    const pool = mariadb.createPool({ ...mariadbConfig(url), connectionLimit: max, ...more });
    const end = async (): Promise<void> => {
      if (!pool.closed) await pool.end();
    };
    onTestFinished(end);
    return {
      db: withMariadb(pool, optionsOf(settings)),
      driver: pool,
      total: () => pool.totalConnections(),
      idle: () => pool.idleConnections(),
      waiting: () => pool.taskQueueSize(),
      async take() {
        const connection = await pool.getConnection();
        return () => connection.release();
      },
      query: (sql) => pool.query(sql),
      end,
    };
  },
  async connection(settings = {}) {
    const connection = await mariadb.createConnection({
      ...mariadbConfig(settings.url ?? server.url()),
      ...settings.more,
    });
    onTestFinished(() => connection.end());
    return {
      db: withMariadb(connection, optionsOf(settings)) as unknown as Db,
      query: (sql) => connection.query(sql),
    };
  },
});
