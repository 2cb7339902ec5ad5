/**
 * A client of `pg` as its borrower sees it: the same, in every form of `query` that pg has, but
 * what it sends belongs to a context.
 */
import { isContextError, throwIfDone, type Context } from "../../index.ts";
import { showCaller } from "../../adapter/misuse.ts";
import { runStoppable } from "../../adapter/stoppable.ts";
import { NothingCommittedError } from "../../adapter/transaction.ts";
import { ClientQuery } from "../client-query.ts";
import type { PoolClient, Result } from "../driver.ts";
import { overrideMethods } from "./override-methods.ts";
import { needClient } from "../misuse.ts";
import type { Settings } from "../../adapter/settings.ts";
import { statementOf } from "./statement.ts";
import { watch, type Submittable } from "./submittable.ts";
import { readArguments, type AnyCallback } from "./query-arguments.ts";
import type { QueryArguments } from "../types.ts";
import { runUnstoppable } from "../unstoppable.ts";

/** Which context a query belongs to that is made now, if any. */
export type ContextOf = () => Context | undefined;

/** One for each client, whoever borrows it: ORMs know their connections by identity. */
export class BoundClient<C extends object> {
  /** What the borrower gets. */
  readonly face: C;
  readonly #client: PoolClient;
  readonly #settings: Settings;
  #contextOf: ContextOf = () => undefined;
  #isLent = false;
  /** As the server said last: "I" is outside any transaction. */
  #status = "I";
  /** How many of its queries have not settled. */
  #running = 0;
  /** Whether it was lent for a cursor or the like, whose end nobody here knows. */
  #watched = false;
  /** Whether something was stopped or refused, which the borrower may not have cleaned up after. */
  #interrupted = false;

  /** Throws a TypeError if the client is of a sort whose queries cannot be stopped one by one. */
  constructor(client: C, settings: Settings, own: Record<string, unknown> = {}) {
    needClient(client, "bind");
    this.#client = client as unknown as PoolClient;
    this.#settings = settings;
    this.face = overrideMethods(client, {
      query: (...args: unknown[]) => this.#query(...args),
      release: (destroy?: Error | boolean) => this.#release(destroy),
      ...own,
    });
  }

  /** From now on, for good. What state it is left in is its owner's care. */
  share(contextOf: ContextOf): C {
    this.#contextOf = contextOf;
    return this.face;
  }

  /** From now on, until it is released: in the state in which a Pool expects it. */
  lend(contextOf: ContextOf): C {
    this.#contextOf = contextOf;
    this.#isLent = true;
    this.#status = "I";
    this.#interrupted = false;
    this.#watched = false;
    // It may have gone back by another way than ours.
    this.#client.connection.removeListener("readyForQuery", this.#track);
    this.#client.connection.on("readyForQuery", this.#track);
    return this.face;
  }

  readonly #track = ({ status }: { status: string }): void => {
    this.#status = status;
  };

  #query(...given: unknown[]): unknown {
    const ctx = this.#contextOf();
    const client = this.#client;
    const query = client.query.bind(client) as (...args: unknown[]) => unknown;
    const [config] = given;
    if (ctx === undefined || config === null || config === undefined) return query(...given);
    if (typeof (config as Partial<Submittable>).submit === "function") {
      this.#watched = true;
      watch(ctx, client, config as Submittable, this.#settings);
      return query(...given);
    }
    const { args, callback = callbackIn(config) } = readArguments(given);
    const result = this.#run(ctx, args);
    if (callback === undefined) return result;
    result.then((value) => callback(null, value), callback);
    return undefined;
  }

  async #run(ctx: Context, args: QueryArguments): Promise<Result> {
    this.#running++;
    try {
      const [query] = args;
      const statement = statementOf(typeof query === "string" ? query : query.text);
      if (statement === "begin" || statement === "rollback") return await this.#send(ctx, args);
      if (statement === "savepoint") {
        throwIfDone(ctx);
        return await this.#send(ctx, args);
      }
      if (statement === "commit") return await this.#commit(ctx, args);
      return await runStoppable(
        ctx,
        new ClientQuery(ctx, args, this.#settings, this.#client),
        this.#settings.stopTimeout,
      );
    } catch (error) {
      if (isContextError(error)) this.#interrupted = true;
      return showCaller(error);
    } finally {
      this.#running--;
    }
  }

  /**
   * A commit does not begin when the context is done: it is a rollback then. Not every ORM rolls
   * back after a commit that failed.
   */
  async #commit(ctx: Context, args: QueryArguments): Promise<Result> {
    const err = ctx.err();
    if (err !== undefined) {
      await this.#send(ctx, ["ROLLBACK"]);
      throw err;
    }
    const result = await this.#send(ctx, args);
    const { command } = (Array.isArray(result) ? result[0] : result) as { command?: unknown };
    if (command === "ROLLBACK") throw ctx.err() ?? new NothingCommittedError();
    return result;
  }

  #send(ctx: Context, [query, values]: QueryArguments): Promise<Result> {
    const what = typeof query === "string" ? query : query.text;
    return runUnstoppable(
      ctx,
      this.#client,
      what,
      (answer) => {
        const send = this.#client.query.bind(this.#client) as (...args: unknown[]) => void;
        // A copy, because pg would leave the callback in it.
        send(typeof query === "string" ? query : { ...query }, values, answer);
      },
      this.#settings.stopTimeout,
    );
  }

  /** A Pool takes back what it is given; but whoever was stopped may have left a transaction open. */
  #release(destroy?: Error | boolean): void {
    const client = this.#client;
    client.connection.removeListener("readyForQuery", this.#track);
    const interrupted =
      this.#interrupted || this.#watched || this.#contextOf()?.err() !== undefined;
    const isBusy = this.#running > 0 || (this.#watched && !client.readyForQuery);
    const wasLent = this.#isLent;
    this.#isLent = false;
    if (wasLent && interrupted && (this.#status !== "I" || isBusy)) {
      client.release(true);
      client.connection.stream.destroy();
    } else if (isContextError(destroy)) client.release();
    else client.release(destroy);
  }
}

/** A client looks there too; a Pool, which has a callback of its own, does not. */
function callbackIn(config: unknown): AnyCallback | undefined {
  const { callback } = Object(config) as { callback?: AnyCallback };
  return typeof callback === "function" ? callback : undefined;
}
