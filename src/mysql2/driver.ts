/**
 * The inside of `mysql2` 3, as far as it is used.
 * Compared with its source: https://github.com/sidorares/node-mysql2/tree/master/lib
 */
import { connect, type Socket } from "node:net";
import type { Control } from "../adapter/mysql/kill.ts";
import type { Arguments, MysqlConnection, Reading } from "../adapter/mysql/driver.ts";

type Callback = (error: Error | null | undefined, result?: unknown, fields?: unknown) => void;

/** A pool with callbacks: the one inside that with promises. */
export interface CorePool {
  getConnection(callback: (error: Error, connection: CoreConnection | undefined) => void): void;
}

/** A connection with callbacks. */
export interface CoreConnection {
  readonly threadId: number;
  readonly config: Config;
  readonly stream: Socket;
  /** There since the connection is up. */
  readonly _handshakePacket?: { readonly serverVersion: string } | null;
  /** What it is doing. */
  readonly _command?: unknown;
  connect(callback: (error: Error | null | undefined) => void): void;
  query(...args: readonly unknown[]): Command;
  pause(): void;
  resume(): void;
  /** Of a pool's. */
  release?(): void;
  end(): void;
  destroy(): void;
  on(event: "error" | "end" | "connect", listener: (error: Error) => void): unknown;
  removeListener(event: "error", listener: (error: Error) => void): unknown;
}

interface Config {
  readonly user?: string | undefined;
  readonly socketPath?: string | undefined;
  stream?: unknown;
  pool?: unknown;
}

interface Command {
  on(event: "result", listener: (row: unknown) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "end", listener: () => void): unknown;
}

export function isCoreConnection(value: unknown): value is CoreConnection {
  const { _handshakePacket, addCommand } = Object(value) as Record<string, unknown>;
  return _handshakePacket !== undefined && typeof addCommand === "function";
}

export function wrap(core: CoreConnection): MysqlConnection {
  let status: boolean | undefined;
  return {
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
      status = isInTransaction(answer);
      return answer;
    },
    inTransaction: (answer) => (answer === undefined ? status : isInTransaction(answer)),
    read: (args, row, end) => read(core, args, row, end),
    isBusy: () => Boolean(core._command),
    connectAgain: () => connectAgain(core),
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

/** What the server says with the answer of a statement without rows, if that was the last. */
function isInTransaction(answer: unknown): boolean | undefined {
  const [result, fields] = answer as [unknown, readonly unknown[] | undefined];
  // Several results, each with its fields, or none.
  const last = fields === undefined || fields.at(-1) !== undefined ? result : lastOf(result);
  if (Array.isArray(last)) return undefined;
  const { serverStatus } = Object(last) as { serverStatus?: unknown };
  return typeof serverStatus === "number" ? (serverStatus & IN_TRANSACTION) !== 0 : undefined;
}

function lastOf(results: unknown): unknown {
  return Array.isArray(results) ? results.at(-1) : results;
}

/** With its own events: its stream drops the rows before an error, and never ends with its connection. */
function read(
  core: CoreConnection,
  [sql, values]: Arguments,
  row: (row: unknown) => void,
  end: (error?: Error) => void,
): Reading {
  let failure: Error | undefined;
  const fail = (error: Error): void => void (failure = error);
  const over = (): void => {
    core.removeListener("error", lost);
    end(failure);
  };
  const lost = (error: Error): void => {
    fail(error);
    over();
  };
  core.on("error", lost);
  const command = values === undefined ? core.query(sql) : core.query(sql, values);
  command.on("result", row);
  command.on("error", fail);
  command.on("end", over);
  return { pause: () => core.pause(), resume: () => core.resume() };
}

/** To the same address (a name may lead to several servers), and otherwise as `core` was made. */
function connectAgain(core: CoreConnection): Control {
  const { remoteAddress: host, remotePort: port } = core.stream;
  const config = Object.create(
    Object.getPrototypeOf(core.config) as object,
    Object.getOwnPropertyDescriptors(core.config),
  ) as Config;
  config.pool = undefined;
  if (typeof config.stream !== "function" && host !== undefined && port !== undefined) {
    // Not `host` itself, which TLS compares with the certificate.
    config.stream = () => connect({ host, port, noDelay: true });
  }
  const control = new (classOf(core))({ config });
  const unref = (): void => void control.stream.unref();
  unref();
  control.on("connect", unref); // TLS has a socket of its own
  return {
    opened: new Promise<void>((resolve, reject) => {
      control.connect((error) => (error ? reject(error) : resolve()));
    }),
    query: (sql) => send(control, "query", [sql]),
    onLost(lost) {
      control.on("error", lost);
      control.on("end", lost);
    },
    end: () => control.end(),
    destroy: () => destroy(control),
  };
}

type Class = new (options: { config: Config }) => CoreConnection;

/** Of plain connections; those of pools know their pool. */
function classOf(core: CoreConnection): Class {
  const own = core.constructor as Class;
  return "_pool" in core ? (Object.getPrototypeOf(own) as Class) : own;
}

function destroy(core: CoreConnection): void {
  core.destroy(); // which only says goodbye, when all else is sent
  core.stream.destroy();
}
