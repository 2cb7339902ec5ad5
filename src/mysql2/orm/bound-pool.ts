/** A pool of `mysql2` whose connections, and the waits for them, belong to a context. */
import { background, type Context } from "../../index.ts";
import { handOver, lease, type Settings } from "../../adapter/index.ts";
import { killConnectionsOf } from "../../adapter/mysql/owner.ts";
import type { ContextOf } from "../../adapter/orm/inherited-context.ts";
import { overrideMethods } from "../../adapter/orm/override-methods.ts";
import { runInFrame } from "../../current/current-context.ts";
import type { CoreConnection, CorePool, Method } from "../driver.ts";
import { poolOf } from "../pool.ts";
import { BoundCoreConnection } from "./bound-core-connection.ts";
import { promisePool } from "./promises.ts";
import { RowEmitter } from "./row-emitter.ts";
import {
  deliver,
  isSqlOrOptions,
  readArguments,
  type Callback,
  type SqlStatement,
} from "./statement.ts";
import { commandOfPool } from "./unsent-command.ts";

/** Which context a call of the pool belongs to. */
export interface Belonging {
  readonly ctx: Context | undefined;
  /** Returns the context of each statement on a connection that the call leases. */
  readonly contextOf: ContextOf;
}

/** Makes the proxy of a pool. `belonging` is asked at each call of the proxy. */
export class BoundPool {
  readonly proxy: CorePool;
  readonly #core: CorePool;
  readonly #settings: Settings;
  readonly #belonging: () => Belonging;
  readonly #connections = new WeakMap<CoreConnection, BoundCoreConnection>();

  constructor(
    core: CorePool,
    settings: Settings,
    belonging: () => Belonging,
    overrides: Record<PropertyKey, unknown> = {},
  ) {
    this.#core = core;
    this.#settings = settings;
    this.#belonging = belonging;
    this.proxy = overrideMethods(core, {
      getConnection: (callback: Callback) => this.#getConnection(callback),
      releaseConnection: (connection: CoreConnection) => connection.release?.(),
      query: (...all: unknown[]) => this.#send("query", all),
      execute: (...all: unknown[]) => this.#send("execute", all),
      promise: (promiseClass?: PromiseConstructor) =>
        promisePool(this.proxy, core, promiseClass, () => belonging().ctx),
      ...overrides,
    });
  }

  #getConnection(callback: Callback): void {
    this.#lease(this.#belonging()).then((bound) => callback(null, bound.proxy), callback);
  }

  readonly #runOnce = handOver(async (ctx: Context, statement: SqlStatement) => {
    const bound = await this.#lease({ ctx, contextOf: () => ctx });
    return await bound.runOnce(ctx, statement);
  });

  #send(method: Method, all: readonly unknown[]): unknown {
    const { ctx } = this.#belonging();
    if (ctx === undefined || !isSqlOrOptions(all)) return this.#core[method](...all);
    const { args, callback } = readArguments(method, all);
    const rows = new RowEmitter(commandOfPool(this.#core, args), ctx, ctx);
    const answer =
      callback === undefined
        ? this.#runOnce(rows.ctx, { method, args, isBound: true, rows })
        : this.#runOnce(ctx, { method, args, isBound: true });
    if (callback !== undefined) deliver(answer, callback);
    rows.follow(callback === undefined ? answer : answer.catch(() => undefined));
    return rows.command;
  }

  async #lease({ ctx = background(), contextOf }: Belonging): Promise<BoundCoreConnection> {
    const core = this.#core;
    const pool = poolOf(core);
    const connection = await lease(ctx, {
      kind: "mysql2.wait",
      pool: core,
      // Without a context: what the pool does to connect must not end with the one who waits.
      take: () => runInFrame(undefined, () => pool.take()),
      giveBack: (late) => pool.giveBack(late),
    });
    let bound = this.#connections.get(connection);
    if (bound === undefined) {
      bound = new BoundCoreConnection(connection, {
        killConnections: killConnectionsOf(core),
        settings: this.#settings,
        giveBack: () => pool.giveBack(connection),
      });
      this.#connections.set(connection, bound);
    }
    return bound.bindLeased(contextOf);
  }
}
