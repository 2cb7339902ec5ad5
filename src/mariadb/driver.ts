/**
 * The inside of `mariadb` 3, as far as it is used.
 * Compared with its source: https://github.com/mariadb-corporation/mariadb-connector-nodejs/tree/main/lib
 */
import { isIP, type Socket } from "node:net";
import type { Control } from "../adapter/mysql/kill.ts";
import type { Arguments, MysqlConnection, Reading } from "../adapter/mysql/driver.ts";

/** A pool with promises. */
export interface DriverPool {
  getConnection(): PromiseLike<DriverConnection>;
}

/** A connection with promises: a face of the real one. */
export interface DriverConnection {
  readonly info: {
    readonly threadId: number | bigint | null;
    readonly status: number;
    readonly serverVersion: { readonly raw: string };
  };
  query(sql: unknown, values?: unknown): Promise<unknown>;
  queryStream(sql: unknown, values?: unknown): RowStream;
  /** Of a pool's. */
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

/** What lies beneath. */
interface Base {
  readonly opts: Settings;
  /** Gone when it is closed. */
  readonly socket: Socket | undefined;
  connect(): Promise<unknown>;
  /** What it is doing. */
  activeReceiveCmd(): unknown;
  query(param: { sql: string }, resolve: (answer: unknown) => void, reject: Reject): void;
  end(param: object, resolve: () => void, reject: () => void): void;
  /** Closes the socket at once; statements under way fail with the error. */
  fatalError(error: Error, avoidThrowError: boolean): void;
  on(event: "error" | "end", listener: () => void): unknown;
}

type Reject = (error: unknown) => void;

interface Settings {
  readonly host?: string;
  readonly user?: string;
  readonly socketPath?: string;
  readonly ssl?: boolean | { readonly servername?: string };
}

const bases = new WeakMap<DriverConnection["info"], Base>();

/** Listeners are called with their emitter, which is the real connection. */
function baseOf(connection: DriverConnection): Base {
  let base = bases.get(connection.info);
  if (base !== undefined) return base;
  connection.once("newListener", function () {
    base = this as Base;
  });
  connection.once("eightysix", ignore);
  connection.off("eightysix", ignore);
  if (base === undefined) throw new TypeError("this connection of mariadb is not known");
  bases.set(connection.info, base);
  return base;
}

const IN_TRANSACTION = 1; // SERVER_STATUS_IN_TRANS

export function wrap(connection: DriverConnection): MysqlConnection {
  const base = baseOf(connection);
  const methods = connection as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
  return {
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
    // Of the last answer, whichever it was.
    inTransaction: () => (connection.info.status & IN_TRANSACTION) !== 0,
    read: (args, row, end) => read(connection, args, row, end),
    isBusy: () => Boolean(base.activeReceiveCmd()),
    connectAgain: () => connectAgain(base),
    // Its own `destroy` first opens another connection, and leaves a rejection unhandled if the
    // server has forgotten this one by then.
    destroy: () => destroy(base),
  };
}

function read(
  connection: DriverConnection,
  args: Arguments,
  row: (row: unknown) => void,
  end: (error?: Error) => void,
): Reading {
  let failure: Error | undefined;
  const stream = connection.queryStream(...args);
  stream.on("error", (error) => (failure ??= error));
  stream.once("end", () => end(failure)); // after an error, too
  stream.on("data", row);
  return { pause: () => stream.pause(), resume: () => stream.resume() };
}

/** To the same address (a name may lead to several servers), and otherwise as `base` was made. */
function connectAgain(base: Base): Control {
  const host = base.socket?.remoteAddress ?? base.opts.host;
  const own = Object.entries(base.opts).filter(([key]) => !key.startsWith("_")); // it is an emitter
  const opts: Record<string, unknown> = { ...Object.fromEntries(own), host };
  // What it does not need costs round trips.
  Object.assign(opts, { initSql: undefined, sessionVariables: undefined, queryTimeout: 0 });
  const { host: name, ssl } = base.opts;
  if (ssl && name !== undefined && isIP(name) === 0) {
    // The certificate is for the name.
    opts["ssl"] = { servername: name, ...(ssl === true ? undefined : ssl) };
  }
  const control = new (base.constructor as new (opts: object) => Base)(opts);
  const opened = control.connect();
  const unref = (): void => void control.socket?.unref();
  unref();
  return {
    opened: opened.then(unref), // TLS has a socket of its own
    query: (sql) => new Promise((resolve, reject) => control.query({ sql }, resolve, reject)),
    onLost(lost) {
      control.on("error", lost);
      control.on("end", lost);
    },
    end: () => control.end({}, ignore, ignore),
    destroy: () => destroy(control),
  };
}

function destroy(base: Base): void {
  base.fatalError(
    new Error("the connection was destroyed, because a statement did not stop"),
    true,
  );
}

function ignore(): void {
  // nothing to be done
}
