/** One connection for several statements: a transaction's, a stream's, a function's. */
import type { Context } from "../index.ts";
import { lease } from "../adapter/lease.ts";
import { showCaller } from "../adapter/misuse.ts";
import { Places } from "../adapter/places.ts";
import type { Session, SessionSource, Stream } from "../adapter/sessions.ts";
import { runStoppable } from "../adapter/stoppable.ts";
import { NothingCommittedError, type TransactionSteps } from "../adapter/transaction.ts";
import { beginOf, type TransactionOptions } from "../adapter/postgresql/begin.ts";
import { ClientQuery } from "./client-query.ts";
import type { Client, Pool, PoolClient } from "./driver.ts";
import { giveBackIfIdle, holdClient } from "./held-client.ts";
import { needQuery } from "./misuse.ts";
import type { Settings } from "../adapter/settings.ts";
import { serverTimeoutFor } from "../adapter/postgresql/server-timeout.ts";
import { StreamQuery } from "./stream-query.ts";
import type { QueryArguments, StreamConfig } from "./types.ts";

/** Each has a connection of the pool. */
export function sessionsOfPool(pool: Pool, settings: Settings): SessionSource<TransactionOptions> {
  const take = (): Promise<PoolClient> =>
    new Promise((resolve, reject) => {
      pool.connect((error, client) => (client === undefined ? reject(error) : resolve(client)));
    });
  return {
    stopTimeout: settings.stopTimeout,
    async take(ctx) {
      const release = (client: PoolClient): void => client.release();
      const client = await lease(ctx, { kind: "pg.wait", take, giveBack: release });
      holdClient(client);
      return new ClientSession(client, settings, () => giveBackIfIdle(client));
    },
  };
}

const turns = new WeakMap<Client, Places>();

/** They take turns on the one connection. */
export function sessionsOfClient(client: Client, settings: Settings): SessionSource<TransactionOptions> {
  let places = turns.get(client);
  if (places === undefined) turns.set(client, (places = new Places(1)));
  const turn = places;
  return {
    stopTimeout: settings.stopTimeout,
    async take(ctx) {
      await turn.take(ctx);
      const status = client.getTransactionStatus?.() ?? "I";
      return new ClientSession(client, settings, () => turn.give(), status !== "I");
    },
  };
}

class ClientSession implements Session<TransactionOptions> {
  readonly #client: Client;
  readonly #settings: Settings;
  readonly #giveBack: () => void;
  /** A transaction that the client's owner has begun, and ends. */
  readonly #isWithinOwners: boolean;

  constructor(client: Client, settings: Settings, giveBack: () => void, isWithinOwners = false) {
    this.#client = client;
    this.#settings = settings;
    this.#giveBack = giveBack;
    this.#isWithinOwners = isWithinOwners;
  }

  readonly statements = {
    query: async (ctx: Context, ...args: QueryArguments): Promise<unknown> => {
      needQuery(args);
      return await this.#run(ctx, args);
    },
  };

  #run(ctx: Context, args: QueryArguments): Promise<unknown> {
    const query = new ClientQuery(ctx, args, this.#settings, this.#client);
    return runStoppable(ctx, query, this.#settings.stopTimeout).catch(showCaller);
  }

  execute(ctx: Context, sql: string): Promise<unknown> {
    return this.#run(ctx, [sql]);
  }

  open(ctx: Context, ...args: readonly [string | StreamConfig, (readonly unknown[])?]): Stream {
    needQuery(args);
    const rows = typeof args[0] === "object" ? args[0].rows : undefined;
    if (rows !== undefined && !(Number.isInteger(rows) && rows > 0 && rows < 2 ** 31)) {
      throw new TypeError(
        `stream(ctx, …) fetches \`rows\` at a time, a positive integer, got ${String(rows)}`,
      );
    }
    return new StreamQuery(ctx, args, this.#settings, this.#client, rows);
  }

  transactionSteps(options: TransactionOptions | undefined, ctx: Context): TransactionSteps {
    if (this.#isWithinOwners) {
      throw new TypeError(
        "this client is inside a transaction already, which a COMMIT of another would end; use query(ctx, …) there, or let transaction(ctx, …) begin it",
      );
    }
    const { serverTimeout, stopTimeout } = this.#settings;
    const begin = beginOf(options, serverTimeout ? serverTimeoutFor(ctx, stopTimeout) : undefined);
    return {
      begin: (ctx) => this.execute(ctx, begin),
      // After a failed statement PostgreSQL answers COMMIT with ROLLBACK, and calls it success.
      commit: async (ctx) => {
        const { command } = (await this.execute(ctx, "COMMIT")) as { command: string };
        if (command !== "COMMIT") throw new NothingCommittedError();
      },
      rollback: (ctx) => this.reset(ctx),
      destroy: () => this.destroy(),
    };
  }

  async reset(ctx: Context): Promise<void> {
    if (this.#isWithinOwners) return;
    if (this.#client.getTransactionStatus?.() !== "I") await this.execute(ctx, "ROLLBACK");
  }

  destroy(): void {
    // First `end`, which makes the end of the socket an expected one and no "error" event.
    void this.#client.end();
    this.#client.connection.stream.destroy();
  }

  end(): void {
    this.#giveBack();
  }
}
