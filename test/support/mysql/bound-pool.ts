/**
 * A pool of mysql2 for an ORM, whose statements belong to one context. It is built on the rules in
 * src/adapter/orm, and shows that they carry a second driver. It is not part of the package, and
 * refuses statements without a callback, which mysql2 answers with a stream.
 */
import type { Pool } from "mysql2";
import { lease, runDetached, type Settings } from "../../../src/adapter/index.ts";
import { KillConnections } from "../../../src/adapter/mysql/kill.ts";
import { mysqlSettings } from "../../../src/adapter/mysql/options.ts";
import { MysqlSession } from "../../../src/adapter/mysql/session.ts";
import {
  sqlTextOf,
  type StatementArguments,
} from "../../../src/adapter/mysql/statement-arguments.ts";
import { BoundConnection } from "../../../src/adapter/orm/bound-connection.ts";
import type { DriverConnection } from "../../../src/adapter/orm/driver-connection.ts";
import { overrideMethods } from "../../../src/adapter/orm/override-methods.ts";
import type { Context } from "../../../src/index.ts";
import { wrap, type CoreConnection, type CorePool } from "../../../src/mysql2/driver.ts";
import { poolOf } from "../../../src/mysql2/pool.ts";

/** A call of `query` or `execute`. */
interface Call {
  readonly method: string;
  readonly args: StatementArguments;
}

/** What mysql2 supplies for the rules of a bound connection. */
class Mysql2Connection implements DriverConnection<Call, unknown> {
  readonly #session: MysqlSession;
  readonly #stopTimeout: number;

  constructor(session: MysqlSession, stopTimeout: number) {
    this.#session = session;
    this.#stopTimeout = stopTimeout;
  }
  textOf({ args }: Call): string {
    return sqlTextOf(args);
  }
  run(ctx: Context, { method, args }: Call): Promise<unknown> {
    return this.#session.run(ctx, method, args);
  }
  runUnstoppable(ctx: Context, call: Call): Promise<unknown> {
    return runDetached(ctx, (detached) => this.run(detached, call), this.#stopTimeout);
  }
  rollback(ctx: Context): Promise<unknown> {
    return runDetached(ctx, (detached) => this.#session.reset(detached), this.#stopTimeout);
  }
  hasRolledBack(): boolean {
    return false; // MySQL answers a COMMIT with a commit or an error
  }
  isTransactionOpen(): boolean {
    return this.#session.transaction.isOpenOnServer;
  }
  isBusy(): boolean {
    return this.#session.connection.isBusy();
  }
  giveBack(): void {
    this.#session.end();
  }
  destroy(): void {
    this.#session.destroy();
    this.#session.end();
  }
}

type Callback = (error: unknown, rows?: unknown, fields?: unknown) => void;

/** One connection and the proxy of it that the ORM sees. */
interface Bound {
  readonly connection: BoundConnection<Call, unknown>;
  readonly proxy: CoreConnection;
}

/** Returns a pool whose statements all belong to `ctx`. */
export function bindMysql2(ctx: Context, pool: Pool): Pool {
  const settings = mysqlSettings({});
  const killConnections = new KillConnections();
  const leases = poolOf(pool as unknown as CorePool);
  const boundConnections = new WeakMap<CoreConnection, Bound>();

  const connect = async (): Promise<Bound> => {
    const core = await lease(ctx, {
      kind: "mysql2.wait",
      take: () => leases.take(),
      giveBack: (late) => leases.giveBack(late),
    });
    let bound = boundConnections.get(core);
    if (bound === undefined) {
      const giveBack = (): void => leases.giveBack(core);
      bound = bindConnection(ctx, core, { killConnections, settings, giveBack });
      boundConnections.set(core, bound);
    }
    bound.connection.bindLeased(() => ctx);
    return bound;
  };
  const runOnce = async (call: Call): Promise<unknown> => {
    const { connection } = await connect();
    try {
      return await connection.run(ctx, call);
    } finally {
      connection.release();
    }
  };
  const proxy: Pool = overrideMethods(pool, {
    getConnection(callback: Callback) {
      connect().then((bound) => callback(null, bound.proxy), callback);
    },
    query: byCallback("query", runOnce),
    execute: byCallback("execute", runOnce),
    promise: () => callOn(proxy, pool, "promise", []),
    end: (callback?: () => void) => callback?.(),
  });
  return proxy;
}

function bindConnection(
  ctx: Context,
  core: CoreConnection,
  options: { killConnections: KillConnections; settings: Settings; giveBack(): void },
): Bound {
  const driver = { name: "mysql2", methods: [] };
  const session = new MysqlSession({ ...options, driver, connection: wrap(core) });
  const { stopTimeout } = options.settings;
  const connection = new BoundConnection(new Mysql2Connection(session, stopTimeout));
  const run = (call: Call): Promise<unknown> => connection.run(ctx, call);
  const overrides: Record<string, unknown> = {
    query: byCallback("query", run),
    execute: byCallback("execute", run),
    release: () => connection.release(),
  };
  const proxy = overrideMethods(core, overrides);
  // mysql2's own methods that call `query`.
  for (const name of ["beginTransaction", "commit", "rollback", "promise"] as const) {
    overrides[name] = (...args: unknown[]) => callOn(proxy, core, name, args);
  }
  return { connection, proxy };
}

/** Returns mysql2's method `query` or `execute`, in the form with a callback. */
function byCallback(method: string, run: (call: Call) => Promise<unknown>) {
  return (...all: unknown[]): void => {
    const callback = all.pop();
    if (typeof callback !== "function") throw new TypeError(`${method} needs a callback here`);
    run({ method, args: all as unknown as StatementArguments }).then(
      (answer) => (callback as Callback)(null, ...(answer as [unknown, unknown])),
      callback as Callback,
    );
  };
}

/** Calls a method of the driver on the proxy, so that what the method calls goes through the proxy. */
function callOn(proxy: object, driver: object, name: string, args: unknown[]): unknown {
  const method = Reflect.get(driver, name) as (...args: unknown[]) => unknown;
  return Reflect.apply(method, proxy, args);
}
