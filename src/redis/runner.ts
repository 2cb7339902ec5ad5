/** Runs what users ask of a client: on the client itself, or on a connection of our own. */
import type { Context } from "../index.ts";
import { BlockingCommands } from "../adapter/redis/blocking.ts";
import { needContext } from "../adapter/misuse.ts";
import { runCommand } from "../adapter/redis/commands.ts";
import { RedisConnection, type Client } from "./connection.ts";

export interface Call<T> {
  /** The method, for whoever misuses it. */
  readonly method: string;
  /** The command, for the ledger. */
  readonly what: string;
  readonly blocks: boolean;
  on(client: Client): PromiseLike<T>;
}

export class Runner {
  readonly #client: Client;
  readonly #stopTimeout: number;
  readonly #blocking: BlockingCommands<RedisConnection>;
  #listening = false;

  constructor(client: Client, stopTimeout: number, maxBlocking: number) {
    this.#client = client;
    this.#stopTimeout = stopTimeout;
    this.#blocking = new BlockingCommands({
      kind: "redis.block",
      open: () => new RedisConnection(client),
      max: maxBlocking,
      stopTimeout,
    });
  }

  close(): void {
    this.#blocking.close(true);
  }

  async run<T>(ctx: Context, call: Call<T>): Promise<T> {
    needContext(ctx, `${call.method}(ctx, …)`);
    // A client that is closed says so itself.
    if (!call.blocks || !this.#client.isOpen) return this.#send(ctx, "redis.command", call);
    this.#endWithClient();
    return this.#blocking.run(ctx, call.what, ({ client }) => call.on(client));
  }

  /**
   * The driver cannot take a transaction out of its queue again, nor give it a signal. So one that
   * cannot be written yet does not go there: a PING, which can be withdrawn, waits in its stead.
   */
  async exec<T>(ctx: Context, method: string, exec: () => Promise<T>): Promise<T> {
    needContext(ctx, `${method}(ctx, …)`);
    if (this.#client.isOpen && !this.#client.isReady) {
      await this.#send(ctx, "redis.wait", {
        method,
        what: "PING",
        blocks: false,
        on: (client) => client.sendCommand(["PING"]),
      });
    }
    return this.#command(ctx, "redis.exec", method, exec);
  }

  /** One command after another; the context ends it between two of them as well. */
  async *iterate<T>(
    ctx: Context,
    method: string,
    start: (client: Client) => AsyncIterator<T>,
  ): AsyncGenerator<T> {
    needContext(ctx, `${method}(ctx, …)`);
    const signal = this.#signal();
    const pages = start(signal === undefined ? this.#client : signal.client);
    for (;;) {
      const step = await this.#command(ctx, "redis.command", method, () => pages.next(), signal);
      if (step.done === true) return;
      yield step.value;
    }
  }

  #send<T>(ctx: Context, kind: string, call: Call<T>): Promise<T> {
    const signal = this.#signal();
    return this.#command(
      ctx,
      kind,
      call.what,
      () => call.on(signal?.client ?? this.#client),
      signal,
    );
  }

  #command<T>(
    ctx: Context,
    kind: string,
    what: string,
    send: () => PromiseLike<T>,
    signal?: Withdrawable,
  ): Promise<T> {
    const withdraw = (): void => signal?.abort();
    return runCommand(ctx, { kind, what, send, withdraw, isWithdrawn }, this.#stopTimeout);
  }

  /** None with a client-side cache: those who ask for the same share one command, and its end. */
  #signal(): Withdrawable | undefined {
    if (this.#client.clientSideCache !== undefined) return undefined;
    const controller = new AbortController();
    const client = this.#client.withAbortSignal(controller.signal);
    return { client, abort: () => controller.abort() };
  }

  #endWithClient(): void {
    if (this.#listening) return;
    this.#listening = true;
    // Never taken back: the driver's clients are made of two objects that share their listeners
    // only until the first of them has none.
    for (const event of ["end", "terminated"] as const) {
      this.#client.on(event, () => this.#blocking.close(false));
    }
  }
}

/** The client, with a signal for what is sent through it. */
interface Withdrawable {
  readonly client: Client;
  abort(): void;
}

/** The driver's AbortError has no name or code of its own. */
function isWithdrawn(error: unknown): boolean {
  return error instanceof Error && error.message === "The command was aborted";
}
