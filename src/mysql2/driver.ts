/**
 * The internals of `mysql2` 3 that the adapter relies on. driver.test.ts fails if they change.
 *
 * They are not documented: `pool` and `connection` beneath the objects with promises, the properties
 * that begin with `_`, `addCommand`, `config`, `stream`, and that the class of a connection can be
 * constructed with a `config`. Source: https://github.com/sidorares/node-mysql2/tree/master/lib
 */
import { connect, type Socket } from "node:net";
import type { MysqlConnection, PausableRows } from "../adapter/mysql/driver.ts";
import type { KillConnection } from "../adapter/mysql/kill.ts";
import type { StatementArguments } from "../adapter/mysql/statement-arguments.ts";

type Callback = (error: Error | null | undefined, result?: unknown, fields?: unknown) => void;

/** A pool with callbacks. A pool with promises contains one. */
export interface CorePool {
  readonly _allConnections: unknown;
  readonly config: object;
  query(...args: readonly unknown[]): unknown;
  execute(...args: readonly unknown[]): unknown;
  promise(promiseClass?: PromiseConstructor): object;
  getConnection(callback: (error: Error, connection: CoreConnection | undefined) => void): void;
}

/** A connection with callbacks. A connection with promises contains one. */
export interface CoreConnection {
  readonly threadId: number;
  readonly config: Config;
  readonly stream: Socket;
  /** Set once the connection is established. */
  readonly _handshakePacket?: { readonly serverVersion: string } | null;
  /** The command that runs on the connection. */
  readonly _command?: unknown;
  connect(callback: (error: Error | null | undefined) => void): void;
  query(...args: readonly unknown[]): Command;
  execute(...args: readonly unknown[]): Command;
  promise(promiseClass?: PromiseConstructor): object;
  pause(): void;
  resume(): void;
  /** Only connections of a pool have it. */
  release?(): void;
  end(): void;
  destroy(): void;
  on(event: "error" | "end" | "connect", listener: (error: Error) => void): unknown;
  removeListener(event: "error", listener: (error: Error) => void): unknown;
}

const MULTI_STATEMENTS = 1 << 16; // CLIENT_MULTI_STATEMENTS

interface Config {
  clientFlags: number;
  readonly user?: string | undefined;
  readonly socketPath?: string | undefined;
  connectTimeout?: number | undefined;
  stream?: unknown;
  pool?: unknown;
}

/** What a statement without a callback returns. */
export interface Command {
  on(event: "fields", listener: (fields: unknown) => void): unknown;
  on(event: "result", listener: (row: unknown, resultIndex: number) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "end", listener: () => void): unknown;
}

export function isCoreConnection(value: unknown): value is CoreConnection {
  const { _handshakePacket, addCommand } = Object(value) as Record<string, unknown>;
  return _handshakePacket !== undefined && typeof addCommand === "function";
}

export function isCorePool(value: unknown): value is CorePool {
  const core = Object(value) as Record<string, unknown>;
  // A pool of the older package mysql has `_acquiringConnections` in addition.
  const isMysql = core["_acquiringConnections"] !== undefined;
  return (
    typeof core["getConnection"] === "function" && core["_allConnections"] !== undefined && !isMysql
  );
}

export function wrap(core: CoreConnection): MysqlConnection {
  let lastStatus: boolean | undefined;
  return {
    key: core,
    get threadId() {
      return core.threadId;
    },
    get version() {
      return core._handshakePacket?.serverVersion ?? "";
    },
    get account() {
      const { remoteAddress = "", remotePort = "" } = core.stream;
      const { socketPath = `${remoteAddress}:${remotePort}`, user = "" } = core.config;
      return `${user}@${socketPath}`;
    },
    call: (method, [sql, values]) =>
      send(core, method, values === undefined ? [sql] : [sql, values]),
    async execute(sql) {
      const answer = await send(core, "query", [sql]);
      lastStatus = transactionStatusIn(answer);
      return answer;
    },
    async readValue(sql) {
      const asArrays = { rowsAsArray: true, nestTables: false, typeCast: true };
      const [rows] = (await send(core, "query", [{ sql, ...asArrays }])) as [unknown[][]];
      return rows[0]?.[0];
    },
    isInTransaction: (answer) => (answer === undefined ? lastStatus : transactionStatusIn(answer)),
    hasRows,
    read: (args, onRow, onEnd) => readCommand(core, "query", args, { onRow, onEnd }),
    isBusy: () => Boolean(core._command),
    openKillConnection: () => openKillConnection(core),
    destroy: () => destroy(core),
  };
}

function send(core: CoreConnection, method: string, args: readonly unknown[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const done: Callback = (error, rows, fields) => {
      if (error) reject(error);
      else resolve([rows, fields]);
    };
    (core as unknown as Record<string, (...args: unknown[]) => void>)[method]?.(...args, done);
  });
}

const IN_TRANSACTION = 1; // SERVER_STATUS_IN_TRANS

/** Reads the server's status flags, which come with an answer whose last result has no rows. */
function transactionStatusIn(answer: unknown): boolean | undefined {
  const [result, fields] = answer as [unknown, readonly unknown[] | undefined];
  // With several results, `fields` has one entry for each: an array, or undefined without rows.
  const last = fields === undefined || fields.at(-1) !== undefined ? result : lastOf(result);
  if (Array.isArray(last)) return undefined;
  const { serverStatus } = Object(last) as { serverStatus?: unknown };
  return typeof serverStatus === "number" ? (serverStatus & IN_TRANSACTION) !== 0 : undefined;
}

/** `fields` is an array for rows, and undefined without. With several results, it has one entry for each. */
function hasRows(answer: unknown): boolean {
  const [, fields] = (answer ?? []) as [unknown?, (readonly unknown[] | undefined)?];
  return fields?.some((entry) => entry !== undefined) === true;
}

function lastOf(results: unknown): unknown {
  return Array.isArray(results) ? results.at(-1) : results;
}

/** The methods that send a statement. */
export type Method = "query" | "execute";

/** The events of one command. */
export interface CommandEvents {
  /** Called before the rows of each result. `fields` is undefined if the result has no rows. */
  readonly onFields?: (fields: unknown) => void;
  /** Called for each row, and for the header of a result without rows. */
  readonly onRow: (row: unknown, resultIndex: number) => void;
  /** Called once, after everything else. */
  readonly onEnd: (error?: Error) => void;
}

/**
 * Sends a statement, and reads its rows from the events of the driver's command. The driver's own
 * stream drops the rows before an error, and never ends if its connection breaks.
 */
export function readCommand(
  core: CoreConnection,
  method: Method,
  [sql, values]: StatementArguments,
  { onFields, onRow, onEnd }: CommandEvents,
): PausableRows {
  let failure: Error | undefined;
  const fail = (error: Error): void => void (failure = error);
  const end = (): void => {
    core.removeListener("error", breakOff);
    onEnd(failure);
  };
  const breakOff = (error: Error): void => {
    fail(error);
    end();
  };
  core.on("error", breakOff);
  const command = values === undefined ? core[method](sql) : core[method](sql, values);
  if (onFields !== undefined) command.on("fields", onFields);
  command.on("result", onRow);
  command.on("error", fail);
  command.on("end", end);
  return { pause: () => core.pause(), resume: () => core.resume() };
}

/**
 * Opens a connection with the settings of `core`. It goes to the same address, because one name may
 * lead to several servers.
 */
function openKillConnection(core: CoreConnection): KillConnection {
  const { remoteAddress: host, remotePort: port } = core.stream;
  const config = Object.create(
    Object.getPrototypeOf(core.config) as object,
    Object.getOwnPropertyDescriptors(core.config),
  ) as Config;
  config.pool = undefined;
  config.clientFlags |= MULTI_STATEMENTS;
  config.connectTimeout = 0; // the stop timeout limits the wait
  if (typeof config.stream !== "function" && host !== undefined && port !== undefined) {
    // `config.host` keeps its name, because TLS compares that with the certificate.
    config.stream = () => connect({ host, port, noDelay: true });
  }
  const own = new (plainClassOf(core))({ config });
  const unref = (): void => void own.stream.unref();
  unref();
  own.on("connect", unref); // TLS has replaced the socket
  return {
    opened: new Promise<void>((resolve, reject) => {
      own.connect((error) => (error ? reject(error) : resolve()));
    }),
    get threadId() {
      return own.threadId;
    },
    query: (sql) => send(own, "query", [sql]),
    async finds(sql) {
      const [rows] = (await send(own, "query", [sql])) as [readonly unknown[]];
      return rows.length > 0;
    },
    onLost(listener) {
      own.on("error", listener);
      own.on("end", listener);
    },
    end: () => own.end(),
    destroy: () => destroy(own),
  };
}

type ConnectionClass = new (options: { config: Config }) => CoreConnection;

/** Returns the class of connections without a pool. That of a pool's connections extends it. */
function plainClassOf(core: CoreConnection): ConnectionClass {
  const own = core.constructor as ConnectionClass;
  return "_pool" in core ? (Object.getPrototypeOf(own) as ConnectionClass) : own;
}

function destroy(core: CoreConnection): void {
  core.destroy(); // sends only a goodbye, after everything else
  core.stream.destroy();
}
