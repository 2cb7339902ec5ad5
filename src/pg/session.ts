/** Sessions: one connection for several statements, such as those of a transaction. */
import { Semaphore, type Context } from "../index.ts";
import {
  NothingCommittedError,
  runStoppable,
  type Session,
  type SessionSource,
  type Settings,
  showCaller,
  type Stream,
  takePlace,
  type TransactionSteps,
} from "../adapter/index.ts";
import { beginOf, type TransactionOptions } from "../adapter/postgresql/begin.ts";
import { serverTimeoutFor } from "../adapter/postgresql/server-timeout.ts";
import { ClientQuery, CommitQuery } from "./client-query.ts";
import type { Client, Pool } from "./driver.ts";
import { destroyClient } from "./end-client.ts";
import { holdClient, leaseClient, returnClientIfIdle } from "./lease-client.ts";
import { needQuery } from "./misuse.ts";
import { StreamQuery } from "./stream-query.ts";
import {
  isOutsideTransaction,
  trackTransactionStatus,
  transactionStatusOf,
  type TransactionStatus,
} from "./transaction-status.ts";
import type { QueryArguments, StreamConfig } from "./types.ts";

/** Sessions that each lease a connection of `pool`. */
export function sessionsOfPool(pool: Pool, settings: Settings): SessionSource<TransactionOptions> {
  return {
    stopTimeout: settings.stopTimeout,
    pool,
    async take(ctx) {
      const client = await leaseClient(ctx, pool);
      holdClient(client);
      return new ClientSession(client, settings, () => returnClientIfIdle(client));
    },
  };
}

/** One place for each client. All `withContext` calls for the client share it. */
const turnsOf = new WeakMap<Client, Semaphore>();

/** Sessions on a caller's own client, one at a time. */
export function sessionsOfClient(
  client: Client,
  settings: Settings,
): SessionSource<TransactionOptions> {
  const turns = turnsOf.get(client) ?? new Semaphore(1);
  turnsOf.set(client, turns);
  trackTransactionStatus(client);
  return {
    stopTimeout: settings.stopTimeout,
    isCallersOwn: true,
    pool: turns,
    async take(ctx) {
      const turn = await takePlace(turns, ctx);
      try {
        const isIdle = (await askTransactionStatus(ctx, client, settings)) === "I";
        return new ClientSession(client, settings, () => turn.release(), !isIdle);
      } catch (error) {
        turn.release();
        throw error;
      }
    },
  };
}

/** Returns the status of the client. If it is unknown, asks the server with an empty statement. */
async function askTransactionStatus(
  ctx: Context,
  client: Client,
  settings: Settings,
): Promise<TransactionStatus | undefined> {
  if (transactionStatusOf(client) === undefined) {
    await runStoppable(ctx, new ClientQuery(ctx, [""], settings, client), settings.stopTimeout);
  }
  return transactionStatusOf(client);
}

class ClientSession implements Session<TransactionOptions> {
  readonly #client: Client;
  readonly #settings: Settings;
  readonly #returnClient: () => void;
  /** Whether the session runs inside a transaction that the client's owner began and will end. */
  readonly #isInOwnersTransaction: boolean;

  constructor(
    client: Client,
    settings: Settings,
    returnClient: () => void,
    isInOwnersTransaction = false,
  ) {
    this.#client = client;
    this.#settings = settings;
    this.#returnClient = returnClient;
    this.#isInOwnersTransaction = isInOwnersTransaction;
  }

  readonly statements = {
    query: async (ctx: Context, ...args: QueryArguments): Promise<unknown> => {
      needQuery(args);
      return await this.#run(ctx, this.#queryOf(ctx, args));
    },
  };

  #queryOf(ctx: Context, args: QueryArguments): ClientQuery {
    return new ClientQuery(ctx, args, this.#settings, this.#client);
  }

  #run(ctx: Context, query: ClientQuery): Promise<unknown> {
    return runStoppable(ctx, query, this.#settings.stopTimeout).catch(showCaller);
  }

  execute(ctx: Context, sql: string): Promise<unknown> {
    return this.#run(ctx, this.#queryOf(ctx, [sql]));
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
    if (this.#isInOwnersTransaction) {
      throw new TypeError(
        "this client is inside a transaction already, and a second COMMIT would end it; use query(ctx, …) there, or let transaction(ctx, …) begin the transaction",
      );
    }
    const { serverTimeout, stopTimeout } = this.#settings;
    const begin = beginOf(options, serverTimeout ? serverTimeoutFor(ctx, stopTimeout) : undefined);
    return {
      begin: (ctx) => this.execute(ctx, begin),
      // After a failed statement PostgreSQL answers COMMIT with ROLLBACK, and reports success.
      commit: async (ctx) => {
        const commit = new CommitQuery(ctx, ["COMMIT"], this.#settings, this.#client);
        const { command } = (await this.#run(ctx, commit)) as { command: string };
        if (command !== "COMMIT") throw new NothingCommittedError();
      },
      rollback: (ctx) => this.reset(ctx),
      destroy: () => this.destroy(),
    };
  }

  async reset(ctx: Context): Promise<void> {
    if (this.#isInOwnersTransaction) return;
    if (!isOutsideTransaction(this.#client)) await this.execute(ctx, "ROLLBACK");
  }

  destroy(): void {
    destroyClient(this.#client);
  }

  end(): void {
    this.#returnClient();
  }
}
