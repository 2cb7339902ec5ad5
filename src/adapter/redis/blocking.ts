/**
 * Blocking commands of Redis.
 *
 * Each command runs alone on a connection of the adapter's own, so that no other command waits
 * behind it and `CLIENT UNBLOCK` can hit nothing else. The user's client serves only as the model
 * for these connections: it may be in subscriber mode, inside a MULTI, or busy.
 *
 * A connection runs one command at a time. It is free again when the command has settled and no
 * UNBLOCK for it is on its way. It never reconnects, because a new connection has another CLIENT ID.
 */
import { afterFunc, Semaphore, throwIfDone, type Context } from "../../index.ts";
import { runStoppable } from "../stoppable.ts";
import { OwnConnection, type DriverConnection } from "./own-connection.ts";

export interface BlockingOptions<C extends DriverConnection> {
  readonly kind: string;
  /** Creates a connection, which keeps trying to connect for as long as the user's client would. */
  open(): C;
  /** How many blocking commands may run at the same time. Further ones wait for their turn. */
  readonly max: number;
  readonly stopTimeout: number;
}

/** Milliseconds between two UNBLOCKs. An UNBLOCK that arrives before its command hits nothing. */
const UNBLOCK_EVERY = 3;

export class BlockingCommands<C extends DriverConnection> {
  readonly #options: BlockingOptions<C>;
  readonly #places: Semaphore;
  readonly #connections = new Set<OwnConnection<C>>();
  #idle: OwnConnection<C>[] = [];
  /** The connection that sends UNBLOCK. */
  #control: OwnConnection<C> | undefined;
  #isClosed = false;

  constructor(options: BlockingOptions<C>) {
    this.#options = options;
    this.#places = new Semaphore(options.max);
  }

  /**
   * Calls `use` with a connection that nothing else uses until `use` has settled. Rejects as
   * `runStoppable` does.
   */
  async run<T>(ctx: Context, what: string, use: (driver: C) => PromiseLike<T>): Promise<T> {
    throwIfDone(ctx);
    const place = await this.#places.acquire(ctx);
    let connection: OwnConnection<C> | undefined;
    try {
      connection = await this.#take(ctx);
      return await this.#runOn(connection, ctx, what, use);
    } finally {
      if (connection?.state === "ready") this.#idle.push(connection);
      place.release();
    }
  }

  /**
   * Closes every connection, and so ends the commands that are still blocked. Later commands open new
   * connections, or are rejected if `forGood` is true.
   */
  close(forGood: boolean): void {
    this.#isClosed ||= forGood;
    this.#idle = [];
    this.#control = undefined;
    for (const connection of this.#connections) connection.destroy();
    this.#connections.clear();
  }

  #runOn<T>(
    connection: OwnConnection<C>,
    ctx: Context,
    what: string,
    use: (driver: C) => PromiseLike<T>,
  ): Promise<T> {
    const { kind, stopTimeout } = this.#options;
    this.#openControl(); // opened now, so that it is ready when it is needed
    const pending: PendingUnblock<C> = { control: undefined };
    return runStoppable(
      ctx,
      {
        kind,
        what,
        start(resolver) {
          use(connection.driver).then(
            (value) => resolver.resolve(value),
            (error: unknown) => {
              const answered = isUnblocked(error) || connection.state === "ready";
              resolver.reject(error, { answered });
            },
          );
          return undefined;
        },
        stop: async (signal) => {
          await this.#unblock(connection, signal, pending);
          return "proven"; // by the answers to the UNBLOCKs
        },
        isStop: isUnblocked,
        destroy() {
          connection.destroy();
          // If a control connection does not answer, it would cost every later command the stop
          // timeout, so it is destroyed. The effect of other commands' UNBLOCKs on it is then
          // unknown, so those commands give up their connections too.
          pending.control?.destroy();
        },
      },
      stopTimeout,
    );
  }

  /** Resolves when no UNBLOCK that was sent can reach the connection any more. */
  async #unblock(
    connection: OwnConnection<C>,
    signal: AbortSignal,
    pending: PendingUnblock<C>,
  ): Promise<void> {
    const id = await connection.id;
    let doubt: { readonly error: unknown } | undefined;
    while (!signal.aborted) {
      const control = this.#openControl();
      if (control.state === "opening") {
        await Promise.race([control.id.catch(() => undefined), pause()]);
        continue;
      }
      pending.control = control;
      try {
        const hits = await control.driver.command(["CLIENT", "UNBLOCK", id, "ERROR"]);
        pending.control = undefined;
        if (Number(hits) === 1) break;
      } catch (error) {
        // This UNBLOCK may still arrive, and hit the next command of the connection.
        doubt = { error };
        pending.control = undefined;
        if (control.state === "ready") throw error; // the server refuses it, and would do so again
      }
      await pause();
    }
    if (doubt === undefined) return;
    while (!signal.aborted) await pause();
    throw doubt.error;
  }

  async #take(ctx: Context): Promise<OwnConnection<C>> {
    let connection = this.#idle.pop();
    while (connection?.state === "dead") connection = this.#idle.pop();
    connection ??= this.#open();
    try {
      await waitUnlessDone(ctx, connection.id);
    } catch (error) {
      // If only the context has ended, the connection goes on opening for the next command.
      if (ctx.err() !== undefined && connection.state !== "dead") this.#idle.push(connection);
      throw error;
    }
    return connection;
  }

  #openControl(): OwnConnection<C> {
    if (this.#control === undefined || this.#control.state === "dead") this.#control = this.#open();
    return this.#control;
  }

  #open(): OwnConnection<C> {
    if (this.#isClosed) {
      throw new Error(
        "the connections for blocking commands were closed by close(); call withContext again for new ones",
      );
    }
    for (const connection of this.#connections) {
      if (connection.state === "dead") this.#connections.delete(connection);
    }
    const connection = new OwnConnection(this.#options.open());
    this.#connections.add(connection);
    return connection;
  }
}

/** The control connection on which an UNBLOCK was sent that the server has not answered yet. */
interface PendingUnblock<C extends DriverConnection> {
  control: OwnConnection<C> | undefined;
}

/** Settles as `promise` does. Rejects with `ctx.err()` if `ctx` ends first. */
function waitUnlessDone<T>(ctx: Context, promise: PromiseLike<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const unregister = afterFunc(ctx, reject);
    promise.then(resolve, reject);
    promise.then(unregister, unregister);
  });
}

function isUnblocked(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("UNBLOCKED ");
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, UNBLOCK_EVERY));
}
