/** A pool whose connections, and the waits for them, belong to a context. */
import type { Context } from "../../index.ts";
import { handOver, type Settings } from "../../adapter/index.ts";
import type { ContextOf } from "../../adapter/orm/inherited-context.ts";
import type { Pool, PoolClient, Result } from "../driver.ts";
import type { QueryArguments } from "../types.ts";
import { leaseClient } from "../lease-client.ts";
import { runPoolQuery } from "../pool-query.ts";
import { BoundClient } from "./bound-client.ts";
import { deliver, readArguments } from "./query-arguments.ts";

export class BoundPool {
  readonly #pool: Pool;
  readonly #settings: Settings;
  readonly #boundClients = new WeakMap<PoolClient, BoundClient<PoolClient>>();

  constructor(pool: Pool, settings: Settings) {
    this.#pool = pool;
    this.#settings = settings;
  }

  readonly #run = handOver((ctx: Context, args: QueryArguments) =>
    runPoolQuery(ctx, args, this.#settings, this.#pool),
  );

  /** Does what `pool.query` does, under `ctx`. Takes SQL or a config object. */
  query(ctx: Context, queryArguments: readonly unknown[]): Promise<Result> | undefined {
    const { args, callback } = readArguments(queryArguments);
    return deliver(this.#run(ctx, args), callback);
  }

  /**
   * Does what `pool.connect` does. The wait ends when `ctx` ends. `contextOf` returns the context
   * of each query of the client.
   */
  async connect(ctx: Context | undefined, contextOf: ContextOf): Promise<PoolClient> {
    const client = await leaseClient(ctx, this.#pool);
    let bound = this.#boundClients.get(client);
    if (bound === undefined) {
      try {
        bound = new BoundClient(client, this.#settings);
      } catch (error) {
        client.release();
        throw error;
      }
      this.#boundClients.set(client, bound);
    }
    return bound.bindLeased(contextOf);
  }
}

/** Returns the client's promise, or passes the client to `callback` if there is one, as pg does. */
export function deliverClient(
  connecting: Promise<PoolClient>,
  callback: unknown,
): Promise<PoolClient> | undefined {
  if (typeof callback !== "function") return connecting;
  const call = callback as (error: unknown, client: unknown, release: unknown) => void;
  connecting.then(
    (client) => call(undefined, client, (destroy?: Error | boolean) => client.release(destroy)),
    (error: unknown) => call(error, undefined, () => undefined),
  );
  return undefined;
}
