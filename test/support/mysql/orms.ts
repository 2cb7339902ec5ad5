/** Helpers for the tests of ORMs on mysql2. */
import type { EventEmitter } from "node:events";
import callbacks, { type Pool, type PoolConnection, type PoolOptions } from "mysql2";
import promises, { type RowDataPacket } from "mysql2/promise";
import { expect, onTestFinished } from "vitest";
import { until, type Observer, type TestServer } from "./servers.ts";

/**
 * The stop timeout of tests that expect their connection back. On a busy machine, MariaDB may take
 * long to end a statement that enters SLEEP().
 */
export const PATIENT = { stopTimeout: 15_000 };

/** Creates a pool of one connection, with callbacks, that ends with the test. */
export function callbackPool(server: TestServer, options: PoolOptions = {}): Pool {
  const pool = callbacks.createPool({ uri: server.url(), connectionLimit: 1, ...options });
  onTestFinished(() => new Promise<void>((resolve) => pool.end(() => resolve())));
  return pool;
}

/** Creates a pool of one connection, with promises, that ends with the test. */
export function promisePool(server: TestServer, options: PoolOptions = {}): promises.Pool {
  const pool = promises.createPool({ uri: server.url(), connectionLimit: 1, ...options });
  onTestFinished(() => pool.end());
  return pool;
}

/** Returns the numbers of a pool's connections. */
export function countsOf(pool: Pool | promises.Pool): {
  total: number;
  idle: number;
  waiting: number;
} {
  const core = ("pool" in pool ? pool.pool : pool) as unknown as Record<
    string,
    { length: number } | undefined
  >;
  const length = (name: string): number => core[name]?.length ?? -1;
  return {
    total: length("_allConnections"),
    idle: length("_freeConnections"),
    waiting: length("_connectionQueue"),
  };
}

/** Expects that all connections are back in the pool, soon, and that none was lost. */
export async function expectWhole(pool: Pool | promises.Pool, total = 1): Promise<void> {
  await until(() => countsOf(pool).idle === countsOf(pool).total && countsOf(pool).waiting === 0);
  expect(countsOf(pool)).toEqual({ total, idle: total, waiting: 0 });
}

/** Resolves with a connection of a pool with callbacks. */
export function connect(pool: Pool): Promise<PoolConnection> {
  return new Promise((resolve, reject) => {
    pool.getConnection((error, connection) => (error ? reject(error) : resolve(connection)));
  });
}

/** Sends a statement with a callback. Resolves with the rows. */
export function send(db: Pool | PoolConnection, text: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    db.query(text, (error: unknown, rows: unknown) =>
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the driver's own
      error ? reject(error) : resolve(rows),
    );
  });
}

/** Resolves with the error that an emitter emits, or with `undefined` if it ends without one. */
export function errorOf(emitter: unknown): Promise<unknown> {
  return new Promise((resolve) => {
    (emitter as EventEmitter).once("error", resolve).once("end", () => resolve(undefined));
  });
}

/** Resolves with the rows that a connection of its own reads. */
export async function rowsOf(look: Observer, text: string): Promise<Record<string, unknown>[]> {
  const [rows] = await look.query<RowDataPacket[]>(text);
  return rows;
}

let tables = 0;

/** Creates a table with `id int primary key` that is dropped after the test, and returns its name. */
export async function table(server: TestServer, look: Observer): Promise<string> {
  const name = `orm_${process.pid}_${++tables}`;
  await look.query(`create table ${name} (id int primary key)`);
  onTestFinished(async () => {
    // The observer of the test may be closed by now.
    const own = await promises.createConnection(server.url());
    await own.query(`drop table ${name}`);
    await own.end();
  });
  return name;
}

/** Resolves with the ids in a table, as another connection sees them. */
export async function idsIn(look: Observer, name: string): Promise<unknown[]> {
  return (await rowsOf(look, `select id from ${name} order by id`)).map(({ id }) => id);
}

/** Resolves when the server runs SQL with this text. */
export function isRunning(look: Observer, text: string): Promise<void> {
  return until(async () => (await look.running(text)) === 1);
}
