/** Runs the user's commands: on the client itself or, if they block, on a connection of their own. */
import { needContext } from "../adapter/index.ts";
import { BlockingCommands } from "../adapter/redis/blocking.ts";
import { runOnClient } from "../adapter/redis/client-command.ts";
import type { WithContextOptions } from "../adapter/redis/options.ts";
import type { Context } from "../index.ts";
import { RedisConnection } from "./connection.ts";
import { isAborted, type Client } from "./driver.ts";

export interface CommandCall<T> {
  /** The method that the user called, for messages. */
  readonly method: string;
  /** The name of the command, for the ledger. */
  readonly what: string;
  readonly isBlocking: boolean;
  sendOn(client: Client): PromiseLike<T>;
}

export class CommandRunner {
  readonly #client: Client;
  readonly #stopTimeout: number;
  readonly #blocking: BlockingCommands<RedisConnection>;
  #isListening = false;

  constructor(client: Client, settings: Required<WithContextOptions>) {
    const { stopTimeout, maxBlocking } = settings;
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

  async run<T>(ctx: Context, call: CommandCall<T>): Promise<T> {
    needContext(ctx, `${call.method}(ctx, …)`);
    // A closed client gets the command too, and rejects it with the driver's own error.
    if (!call.isBlocking || !this.#client.isOpen) return this.#send(ctx, "redis.command", call);
    this.#closeWithClient();
    return this.#blocking.run(ctx, call.what, ({ client }) => call.sendOn(client));
  }

  /**
   * Executes a transaction or pipeline. The driver cannot remove one from its queue, and takes no
   * signal for it. So while the client is not ready, a PING waits in the queue instead, because a
   * PING can be withdrawn.
   */
  async exec<T>(ctx: Context, method: string, exec: () => Promise<T>): Promise<T> {
    needContext(ctx, `${method}(ctx, …)`);
    if (this.#client.isOpen && !this.#client.isReady) {
      await this.#send(ctx, "redis.wait", {
        method,
        what: "PING",
        isBlocking: false,
        sendOn: (client) => client.sendCommand(["PING"]),
      });
    }
    return this.#runOnClient(ctx, "redis.exec", method, exec);
  }

  /** Iterates over the pages of a scan. The context also ends it between two pages. */
  async *iterate<T>(
    ctx: Context,
    method: string,
    start: (client: Client) => AsyncIterator<T>,
  ): AsyncGenerator<T> {
    needContext(ctx, `${method}(ctx, …)`);
    const abortable = this.#abortable();
    const pages = start(abortable?.client ?? this.#client);
    for (;;) {
      const next = (): PromiseLike<IteratorResult<T>> => pages.next();
      const step = await this.#runOnClient(ctx, "redis.command", method, next, abortable);
      if (step.done === true) return;
      yield step.value;
    }
  }

  #send<T>(ctx: Context, kind: string, call: CommandCall<T>): Promise<T> {
    const abortable = this.#abortable();
    const send = (): PromiseLike<T> => call.sendOn(abortable?.client ?? this.#client);
    return this.#runOnClient(ctx, kind, call.what, send, abortable);
  }

  #runOnClient<T>(
    ctx: Context,
    kind: string,
    what: string,
    send: () => PromiseLike<T>,
    abortable?: AbortableClient,
  ): Promise<T> {
    const withdraw = (): void => abortable?.abort();
    return runOnClient(
      ctx,
      { kind, what, send, withdraw, isWithdrawn: isAborted },
      this.#stopTimeout,
    );
  }

  /**
   * Returns `undefined` for a client with a client-side cache: callers that ask for the same key
   * share one command, and so would share its end.
   */
  #abortable(): AbortableClient | undefined {
    if (this.#client.clientSideCache !== undefined) return undefined;
    const controller = new AbortController();
    const client = this.#client.withAbortSignal(controller.signal);
    return { client, abort: () => controller.abort() };
  }

  #closeWithClient(): void {
    if (this.#isListening) return;
    this.#isListening = true;
    // The listeners are never removed. A client of the driver consists of two objects that share
    // their listeners only until the first of them has none.
    for (const event of ["end", "terminated"] as const) {
      this.#client.on(event, () => this.#blocking.close(false));
    }
  }
}

/** The client with a signal that belongs to what is sent through it. */
interface AbortableClient {
  readonly client: Client;
  abort(): void;
}
