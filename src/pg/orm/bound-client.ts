/** A client of `pg` whose queries belong to a context, in every form of `query` that pg has. */
import { isContextError, throwIfDone, type Context } from "../../index.ts";
import {
  NothingCommittedError,
  runStoppable,
  type Settings,
  showCaller,
} from "../../adapter/index.ts";
import { ClientQuery } from "../client-query.ts";
import type { PoolClient, Result } from "../driver.ts";
import { destroyPoolClient } from "../end-client.ts";
import { needClient } from "../misuse.ts";
import { textOf } from "../running-query.ts";
import { transactionCommandOf } from "../transaction-command.ts";
import type { QueryArguments } from "../types.ts";
import { runUnstoppableStatement } from "../unstoppable.ts";
import { BoundCursor, cursorOf } from "./cursor.ts";
import { overrideMethods } from "./override-methods.ts";
import { deliver, readArguments, type AnyCallback } from "./query-arguments.ts";
import { WatchedQuery, type Submittable } from "./submittable.ts";

/** Returns the context of a query that is created now, if there is one. */
export type ContextOf = () => Context | undefined;

/**
 * Makes the proxy of one client that callers use. There is one for each client, however often it is
 * leased, because ORMs know their connections by identity.
 */
export class BoundClient<C extends object> {
  readonly #proxy: C;
  readonly #client: PoolClient;
  readonly #settings: Settings;
  #contextOf: ContextOf = () => undefined;
  #isLeased = false;
  /** The transaction status that the server reported last. "I" means outside any transaction. */
  #transactionStatus = "I";
  /** How many queries have not settled. */
  #pending = 0;
  /** Whether a submittable was sent during this lease. This class does not learn when it ends. */
  #hasSubmittable = false;
  /** Whether a query was stopped or refused. The caller may not have cleaned up after it. */
  #wasInterrupted = false;

  /** Throws a TypeError if single queries of the client cannot be stopped. */
  constructor(client: C, settings: Settings, overrides: Record<string, unknown> = {}) {
    needClient(client, "bind");
    this.#client = client as unknown as PoolClient;
    this.#settings = settings;
    this.#proxy = overrideMethods(client, {
      query: (...args: unknown[]) => this.#query(...args),
      release: (destroy?: Error | boolean) => this.#release(destroy),
      ...overrides,
    });
  }

  /** Binds a client that still belongs to the caller. The caller manages its transactions. */
  bindOwned(contextOf: ContextOf): C {
    this.#contextOf = contextOf;
    return this.#proxy;
  }

  /** Binds a client for one lease. `release` returns it in the state that a pool expects. */
  bindLeased(contextOf: ContextOf): C {
    this.#contextOf = contextOf;
    this.#isLeased = true;
    this.#transactionStatus = "I";
    this.#wasInterrupted = false;
    this.#hasSubmittable = false;
    // The last lease may have ended without the proxy's `release`, and left its listener.
    this.#client.connection.removeListener("readyForQuery", this.#trackTransaction);
    this.#client.connection.on("readyForQuery", this.#trackTransaction);
    return this.#proxy;
  }

  readonly #trackTransaction = ({ status }: { status: string }): void => {
    this.#transactionStatus = status;
  };

  #query(...queryArguments: unknown[]): unknown {
    const ctx = this.#contextOf();
    const client = this.#client;
    const query = client.query.bind(client) as (...args: unknown[]) => unknown;
    const [config] = queryArguments;
    if (ctx === undefined || config === null || config === undefined) {
      return query(...queryArguments);
    }
    if (typeof (config as Partial<Submittable>).submit === "function") {
      this.#bindSubmittable(ctx, config as Submittable);
      return query(...queryArguments);
    }
    const { args, callback = callbackIn(config) } = readArguments(queryArguments);
    return deliver(this.#run(ctx, args), callback);
  }

  #bindSubmittable(ctx: Context, submittable: Submittable): void {
    this.#hasSubmittable = true;
    const cursor = cursorOf(submittable);
    if (cursor === undefined) {
      new WatchedQuery(ctx, submittable, this.#settings, this.#client).watch();
    } else new BoundCursor(ctx, submittable, cursor, this.#settings, this.#client).install();
  }

  async #run(ctx: Context, args: QueryArguments): Promise<Result> {
    this.#pending++;
    try {
      switch (transactionCommandOf(textOf(args))) {
        case "savepoint":
          throwIfDone(ctx);
          return await this.#runUnstoppable(ctx, args);
        case "begin":
        case "rollback":
          return await this.#runUnstoppable(ctx, args);
        case "commit":
          return await this.#commit(ctx, args);
        case "other":
          return await runStoppable(
            ctx,
            new ClientQuery(ctx, args, this.#settings, this.#client),
            this.#settings.stopTimeout,
          );
      }
    } catch (error) {
      if (isContextError(error)) this.#wasInterrupted = true;
      return showCaller(error);
    } finally {
      this.#pending--;
    }
  }

  /**
   * Commits, or rolls back if the context is done already. The rollback is not left to the ORM,
   * because not every ORM rolls back after a COMMIT that failed.
   */
  async #commit(ctx: Context, args: QueryArguments): Promise<Result> {
    const err = ctx.err();
    if (err !== undefined) {
      await this.#runUnstoppable(ctx, ["ROLLBACK"]);
      throw err;
    }
    const result = await this.#runUnstoppable(ctx, args);
    const { command } = (Array.isArray(result) ? result[0] : result) as { command?: unknown };
    if (command === "ROLLBACK") throw ctx.err() ?? new NothingCommittedError();
    return result;
  }

  #runUnstoppable(ctx: Context, args: QueryArguments): Promise<Result> {
    const [query, values] = args;
    return runUnstoppableStatement(
      ctx,
      this.#client,
      textOf(args),
      (onResult) => {
        const send = this.#client.query.bind(this.#client) as (...args: unknown[]) => void;
        // pg would leave the callback in the caller's object, so it gets a copy.
        send(typeof query === "string" ? query : { ...query }, values, onResult);
      },
      this.#settings.stopTimeout,
    );
  }

  /**
   * Returns the client to its pool. A pool accepts clients in any state. So if a stop may have left
   * the client busy or inside a transaction, the client is destroyed instead.
   */
  #release(destroy?: Error | boolean): void {
    const client = this.#client;
    client.connection.removeListener("readyForQuery", this.#trackTransaction);
    const wasInterrupted =
      this.#wasInterrupted || this.#hasSubmittable || this.#contextOf()?.err() !== undefined;
    const isBusy = this.#pending > 0 || (this.#hasSubmittable && !client.readyForQuery);
    const wasLeased = this.#isLeased;
    this.#isLeased = false;
    if (wasLeased && wasInterrupted && (this.#transactionStatus !== "I" || isBusy)) {
      destroyPoolClient(client);
    } else if (isContextError(destroy))
      client.release(); // a stopped query has left it healthy
    else client.release(destroy);
  }
}

/**
 * Returns the callback in a config object. A client looks for a callback there, and a Pool does
 * not.
 */
function callbackIn(config: unknown): AnyCallback | undefined {
  const { callback } = Object(config) as { callback?: AnyCallback };
  return typeof callback === "function" ? callback : undefined;
}
