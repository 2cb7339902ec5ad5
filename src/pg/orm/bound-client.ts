/** A client of `pg` whose queries belong to a context, in every form of `query` that pg has. */
import type { Context } from "../../index.ts";
import type { Settings } from "../../adapter/index.ts";
import { BoundConnection } from "../../adapter/orm/bound-connection.ts";
import type { ContextOf } from "../../adapter/orm/inherited-context.ts";
import { overrideMethods } from "../../adapter/orm/override-methods.ts";
import type { PoolClient, Result } from "../driver.ts";
import { needClient } from "../misuse.ts";
import type { QueryArguments } from "../types.ts";
import { BoundCursor, cursorOf } from "./cursor.ts";
import { PgConnection } from "./pg-connection.ts";
import { deliver, readArguments, type AnyCallback } from "./query-arguments.ts";
import { WatchedQuery, type Submittable } from "./submittable.ts";

/**
 * Makes the proxy of one client that callers use. There is one for each client, however often it is
 * leased, because ORMs know their connections by identity.
 */
export class BoundClient<C extends object> {
  readonly #proxy: C;
  readonly #client: PoolClient;
  readonly #settings: Settings;
  readonly #connection: BoundConnection<QueryArguments, Result>;

  /** Throws a TypeError if single queries of the client cannot be stopped. */
  constructor(client: C, settings: Settings, overrides: Record<string, unknown> = {}) {
    needClient(client, "bind");
    this.#client = client as unknown as PoolClient;
    this.#settings = settings;
    this.#connection = new BoundConnection(new PgConnection(this.#client, settings));
    this.#proxy = overrideMethods(client, {
      query: (...args: unknown[]) => this.#query(...args),
      release: (destroy?: Error | boolean) => this.#connection.release(destroy),
      ...overrides,
    });
  }

  /** Binds a client that still belongs to the caller. The caller manages its transactions. */
  bindOwned(contextOf: ContextOf): C {
    this.#connection.bindOwned(contextOf);
    return this.#proxy;
  }

  /** Binds a client for one lease. `release` returns it in the state that a pool expects. */
  bindLeased(contextOf: ContextOf): C {
    this.#connection.bindLeased(contextOf);
    return this.#proxy;
  }

  #query(...queryArguments: unknown[]): unknown {
    const ctx = this.#connection.currentContext();
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
    return deliver(this.#connection.run(ctx, args), callback);
  }

  #bindSubmittable(ctx: Context, submittable: Submittable): void {
    this.#connection.recordUntracked();
    const cursor = cursorOf(submittable);
    if (cursor === undefined) {
      new WatchedQuery(ctx, submittable, this.#settings, this.#client).watch();
    } else new BoundCursor(ctx, submittable, cursor, this.#settings, this.#client).install();
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
