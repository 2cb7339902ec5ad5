/** A connection of `mysql2` whose statements belong to a context, in every form that mysql2 has. */
import { background, type Context } from "../../index.ts";
import { MysqlSession, type SessionOptions } from "../../adapter/mysql/session.ts";
import { BoundConnection } from "../../adapter/orm/bound-connection.ts";
import type { ContextOf } from "../../adapter/orm/inherited-context.ts";
import { overrideMethods } from "../../adapter/orm/override-methods.ts";
import { wrap, type CoreConnection, type Method } from "../driver.ts";
import { Mysql2Connection } from "./mysql2-connection.ts";
import { promiseConnection } from "./promises.ts";
import { RowEmitter } from "./row-emitter.ts";
import { commandOf } from "./unsent-command.ts";
import {
  deliver,
  isSqlOrOptions,
  readArguments,
  type Callback,
  type SqlStatement,
  type Statement,
} from "./statement.ts";

/**
 * Makes the proxy of one connection that callers use. There is one for each connection, however
 * often it is leased, because ORMs know their connections by identity.
 */
export class BoundCoreConnection {
  readonly proxy: CoreConnection;
  readonly #core: CoreConnection;
  readonly #session: MysqlSession;
  readonly #connection: BoundConnection<Statement, unknown>;

  constructor(
    core: CoreConnection,
    options: Omit<SessionOptions, "driver" | "connection">,
    overrides: Record<PropertyKey, unknown> = { destroy: () => this.#connection.release(true) },
  ) {
    this.#core = core;
    const driver = { name: "mysql2", methods: [] };
    this.#session = new MysqlSession({ ...options, driver, connection: wrap(core) });
    this.#connection = new BoundConnection(new Mysql2Connection(core, this.#session));
    this.proxy = overrideMethods(core, { ...this.#overrides(), ...overrides });
  }

  /** Binds a connection that still belongs to the caller. The caller manages its transactions. */
  bindOwned(contextOf: ContextOf): CoreConnection {
    this.#connection.bindOwned(contextOf);
    return this.proxy;
  }

  /** Binds a connection for one lease. `release` returns it in the state that a pool expects. */
  bindLeased(contextOf: ContextOf): this {
    this.#connection.bindLeased(contextOf);
    return this;
  }

  /** Runs one statement of a pool, and then ends the lease. */
  async runOnce(ctx: Context, statement: SqlStatement): Promise<unknown> {
    try {
      return await this.#connection.run(ctx, statement);
    } finally {
      await this.#session.tidy(ctx, statement.args);
      this.#connection.release();
    }
  }

  #overrides(): Record<PropertyKey, unknown> {
    const release = (): void => this.#connection.release();
    const overrides: Record<PropertyKey, unknown> = {
      query: (...all: unknown[]) => this.#send("query", all),
      execute: (...all: unknown[]) => this.#send("execute", all),
      prepare: (options: unknown, callback?: unknown) => this.#prepare(options, callback),
      promise: (promiseClass?: PromiseConstructor) =>
        promiseConnection(this.proxy, this.#core, promiseClass, () =>
          this.#connection.currentContext(),
        ),
      release,
      [Symbol.dispose]: release,
    };
    // mysql2's own methods, which call others of these.
    for (const name of ["beginTransaction", "commit", "rollback", "end"]) {
      overrides[name] = (...args: unknown[]): unknown =>
        Reflect.apply(methodOf(this.#core, name), this.proxy, args);
    }
    for (const name of ["ping", "reset", "changeUser"]) {
      overrides[name] = (...args: unknown[]): void => this.#sendOther(name, args);
    }
    return overrides;
  }

  #send(method: Method, all: readonly unknown[]): unknown {
    if (!isSqlOrOptions(all)) return this.#core[method](...all);
    const { args, callback } = readArguments(method, all);
    const ctx = this.#connection.currentContext();
    const isBound = ctx !== undefined;
    const rows = new RowEmitter(commandOf(this.#core, args), ctx, background());
    const answer =
      callback === undefined
        ? this.#connection.run(rows.ctx, { method, args, isBound, rows })
        : this.#connection.run(ctx ?? background(), { method, args, isBound });
    if (callback !== undefined) deliver(answer, callback);
    rows.follow(callback === undefined ? answer : answer.catch(() => undefined));
    return rows.command;
  }

  /** Runs something that is no statement in its turn, so that no KILL can hit what follows it. */
  #sendOther(name: string, all: readonly unknown[]): void {
    const callback = all.findLast((argument) => typeof argument === "function");
    const args = all.filter((argument) => argument !== callback);
    const ctx = this.#connection.currentContext() ?? background();
    const start = (): Promise<unknown> => call(this.#core, name, args);
    const sent = this.#connection.run(ctx, { start });
    deliver(sent, (callback as Callback | undefined) ?? (() => undefined));
  }

  #prepare(options: unknown, callback: unknown): void {
    const ctx = this.#connection.currentContext() ?? background();
    const start = async (): Promise<unknown> => {
      const [statement] = (await call(this.#core, "prepare", [options])) as [object];
      const execute = (...args: unknown[]): unknown => this.#send("execute", [options, ...args]);
      return [overrideMethods(statement, { execute })];
    };
    const prepared = this.#connection.run(ctx, { start });
    deliver(prepared, (callback as Callback | undefined) ?? (() => undefined));
  }
}

function methodOf(core: CoreConnection, name: string): (...args: unknown[]) => unknown {
  return Reflect.get(core, name) as (...args: unknown[]) => unknown;
}

/** Calls a method of the driver that takes a callback. Resolves with the callback's arguments. */
function call(core: CoreConnection, name: string, args: readonly unknown[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null | undefined, ...results: unknown[]): void => {
      if (error) reject(error);
      else resolve(results);
    };
    Reflect.apply(methodOf(core, name), core, [...args, done]);
  });
}
