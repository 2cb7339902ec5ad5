/** A Pool whose connections, and the waits for them, belong to a context. */
import type { Context } from "../../index.ts";
import { lease } from "../../adapter/lease.ts";
import { showCaller } from "../../adapter/misuse.ts";
import { runStoppable } from "../../adapter/stoppable.ts";
import type { Pool, PoolClient, Result } from "../driver.ts";
import { BoundClient, type ContextOf } from "./bound-client.ts";
import { PoolQuery } from "../pool-query.ts";
import { readArguments } from "./query-arguments.ts";
import type { Settings } from "../../adapter/settings.ts";

export class BoundPool {
  readonly #pool: Pool;
  readonly #settings: Settings;
  readonly #lent = new WeakMap<PoolClient, BoundClient<PoolClient>>();

  constructor(pool: Pool, settings: Settings) {
    this.#pool = pool;
    this.#settings = settings;
  }

  /** As `pool.query`, with SQL or a config object. */
  query(ctx: Context, given: readonly unknown[]): Promise<Result> | undefined {
    const { args, callback } = readArguments(given);
    const query = new PoolQuery(ctx, args, this.#settings, this.#pool);
    const result = runStoppable(ctx, query, this.#settings.stopTimeout).catch(showCaller);
    if (callback === undefined) return result;
    result.then((value) => callback(null, value), callback);
    return undefined;
  }

  /** As `pool.connect`: `ctx` bounds the wait, and `contextOf` says what the client's queries belong to. */
  async connect(ctx: Context | undefined, contextOf: ContextOf): Promise<PoolClient> {
    const giveBack = (client: PoolClient): void => client.release();
    const client = await (ctx === undefined
      ? this.#take()
      : lease(ctx, { kind: "pg.wait", take: this.#take, giveBack }));
    let lent = this.#lent.get(client);
    if (lent === undefined) {
      try {
        lent = new BoundClient(client, this.#settings);
      } catch (error) {
        client.release();
        throw error;
      }
      this.#lent.set(client, lent);
    }
    return lent.lend(contextOf);
  }

  readonly #take = (): Promise<PoolClient> =>
    new Promise((resolve, reject) => {
      this.#pool.connect((error, client) =>
        client === undefined ? reject(error) : resolve(client),
      );
    });
}

/** Answers as pg does: with a promise, or through the callback that was given. */
export function answerConnect(
  connecting: Promise<PoolClient>,
  callback: unknown,
): Promise<PoolClient> | undefined {
  if (typeof callback !== "function") return connecting;
  const answer = callback as (error: unknown, client: unknown, release: unknown) => void;
  connecting.then(
    (client) => answer(undefined, client, (destroy?: Error | boolean) => client.release(destroy)),
    (error: unknown) => answer(error, undefined, () => undefined),
  );
  return undefined;
}
