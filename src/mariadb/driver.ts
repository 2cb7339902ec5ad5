/**
 * The internals of `mariadb` 3 that the adapter relies on. driver.test.ts fails if they change.
 *
 * They are not documented: `info.status`, `info.threadId` of the internal connection, that listeners are
 * called with the internal connection as `this`, and everything in `BaseConnection`.
 * Source: https://github.com/mariadb-corporation/mariadb-connector-nodejs/tree/main/lib
 */
import { isIP, type Socket } from "node:net";
import type { MysqlConnection, PausableRows } from "../adapter/mysql/driver.ts";
import type { KillConnection } from "../adapter/mysql/kill.ts";
import type { StatementArguments } from "../adapter/mysql/statement-arguments.ts";

/** A pool with promises. */
export interface DriverPool {
  getConnection(): PromiseLike<DriverConnection>;
}

/** A connection with promises. It wraps a `BaseConnection`. */
export interface DriverConnection {
  readonly info: {
    readonly threadId: number | bigint | null;
    readonly status: number;
    readonly serverVersion: { readonly raw: string };
  };
  query(sql: unknown, values?: unknown): Promise<unknown>;
  queryStream(sql: unknown, values?: unknown): RowStream;
  /** Only connections of a pool have it. */
  release?(): Promise<void>;
  once(event: string, listener: (this: unknown) => void): unknown;
  off(event: string, listener: () => void): unknown;
}

interface RowStream {
  on(event: "data", listener: (row: unknown) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  once(event: "end", listener: () => void): unknown;
  pause(): void;
  resume(): void;
}

/** The driver's internal connection. */
export interface BaseConnection {
  readonly opts: ConnectionOptions;
  readonly info: DriverConnection["info"];
  /** Undefined once the connection is closed. */
  readonly socket: Socket | undefined;
  connect(): Promise<unknown>;
  /** Returns the command that runs on the connection. */
  activeReceiveCmd(): unknown;
  query(
    param: { sql: string; opts?: object },
    resolve: (answer: unknown) => void,
    reject: Reject,
  ): void;
  end(param: object, resolve: () => void, reject: () => void): void;
  /** Closes the socket at once. Running statements fail with the error. */
  fatalError(error: Error, avoidThrowError: boolean): void;
  on(event: "error" | "end", listener: () => void): unknown;
}

type Reject = (error: unknown) => void;

interface ConnectionOptions {
  readonly host?: string;
  readonly user?: string;
  readonly socketPath?: string;
  readonly ssl?: boolean | { readonly servername?: string };
}

const bases = new WeakMap<DriverConnection["info"], BaseConnection>();

/** Returns the internal connection, which the driver passes to listeners as `this`. */
export function baseOf(connection: DriverConnection): BaseConnection {
  let base = bases.get(connection.info);
  if (base !== undefined) return base;
  connection.once("newListener", function () {
    base = this as BaseConnection;
  });
  connection.once("eightysix", ignore); // emits "newListener"
  connection.off("eightysix", ignore);
  if (base === undefined) {
    throw new TypeError("eightysix/mariadb cannot use connections of this version of mariadb");
  }
  bases.set(connection.info, base);
  return base;
}

const IN_TRANSACTION = 1; // SERVER_STATUS_IN_TRANS

export function wrap(connection: DriverConnection): MysqlConnection {
  const base = baseOf(connection);
  const methods = connection as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
  return {
    key: base,
    get threadId() {
      return Number(connection.info.threadId);
    },
    get version() {
      return connection.info.serverVersion.raw;
    },
    get account() {
      const { remoteAddress = "", remotePort = "" } = base.socket ?? {};
      const { socketPath = `${remoteAddress}:${remotePort}`, user = "" } = base.opts;
      return `${user}@${socketPath}`;
    },
    call: async (method, args) => await methods[method]?.(...args),
    execute: (sql) => connection.query(sql),
    async readValue(sql) {
      const asArrays = {
        rowsAsArray: true,
        metaAsArray: false,
        nestTables: false,
        typeCast: false,
      };
      const rows = (await connection.query({ sql, ...asArrays })) as unknown[][];
      return rows[0]?.[0];
    },
    // The driver keeps the status flags of the last answer, of whichever statement.
    isInTransaction: () => (connection.info.status & IN_TRANSACTION) !== 0,
    hasRows,
    read: (args, onRow, onEnd) => read(connection, args, onRow, onEnd),
    isBusy: () => Boolean(base.activeReceiveCmd()),
    openKillConnection: () => openKillConnection(base),
    // The connection's own `destroy` first opens another connection. If the server no longer knows
    // this one by then, it leaves a rejection unhandled.
    destroy: () => destroy(base),
  };
}

/**
 * The driver adds the columns to rows as the property `meta`. With its option `metaAsArray`, the
 * columns follow the result: those of one result, or an array that has null for a result without rows.
 */
function hasRows(answer: unknown): boolean {
  if (!Array.isArray(answer)) return false;
  const isRows = (value: unknown): boolean =>
    Array.isArray(value) && (value as { meta?: unknown }).meta !== undefined;
  if (isRows(answer) || answer.some(isRows)) return true;
  const columns: unknown = answer[1];
  return Array.isArray(columns) && columns.some((column) => column !== null);
}

function read(
  connection: DriverConnection,
  args: StatementArguments,
  onRow: (row: unknown) => void,
  onEnd: (error?: Error) => void,
): PausableRows {
  let failure: Error | undefined;
  const stream = connection.queryStream(...args);
  stream.on("error", (error) => (failure ??= error));
  stream.once("end", () => onEnd(failure)); // also follows an error
  stream.on("data", onRow);
  return { pause: () => stream.pause(), resume: () => stream.resume() };
}

/**
 * Opens a connection with the options of `base`. It goes to the same address, because one name may
 * lead to several servers.
 */
function openKillConnection(base: BaseConnection): KillConnection {
  const host = base.socket?.remoteAddress ?? base.opts.host;
  // The options object is also an event emitter. Its own listeners must not be copied.
  const own = Object.entries(base.opts).filter(([key]) => !key.startsWith("_"));
  const opts: Record<string, unknown> = { ...Object.fromEntries(own), host };
  // Each of these would cost a round trip.
  Object.assign(opts, { initSql: undefined, sessionVariables: undefined, queryTimeout: 0 });
  // The stop timeout limits the wait. The driver's own limit of 1 s can pass while this process only
  // reads the rows of the stream that is to be stopped.
  opts["connectTimeout"] = 0;
  opts["multipleStatements"] = true;
  const { host: name, ssl } = base.opts;
  if (ssl && name !== undefined && isIP(name) === 0) {
    // The certificate was issued for the name, not for the address.
    opts["ssl"] = { servername: name, ...(ssl === true ? undefined : ssl) };
  }
  const killing = new (base.constructor as new (opts: object) => BaseConnection)(opts);
  const opened = killing.connect();
  const unref = (): void => void killing.socket?.unref();
  unref();
  const query = (sql: string, opts?: object): Promise<unknown> =>
    new Promise((resolve, reject) =>
      killing.query({ sql, ...(opts && { opts }) }, resolve, reject),
    );
  return {
    opened: opened.then(unref), // TLS has replaced the socket
    get threadId() {
      return Number(killing.info.threadId);
    },
    query,
    async finds(sql) {
      const rows = await query(sql, { metaAsArray: false });
      return (rows as readonly unknown[]).length > 0;
    },
    onLost(listener) {
      killing.on("error", listener);
      killing.on("end", listener);
    },
    end: () => killing.end({}, ignore, ignore),
    destroy: () => destroy(killing),
  };
}

function destroy(base: BaseConnection): void {
  base.fatalError(new Error("the connection was destroyed"), true);
}

function ignore(): void {
  // nothing to do
}
