/** Runs the user's commands: on the client itself or, if they block, on a connection of their own. */
import { needContext } from "../adapter/index.ts";
import { BlockingCommands } from "../adapter/redis/blocking.ts";
import { runOnClient } from "../adapter/redis/client-command.ts";
import type { WithContextOptions } from "../adapter/redis/options.ts";
import { afterFunc, startWork, throwIfDone, type Context } from "../index.ts";
import { BuiltCommand, callMethod, recorderOf, withdrawn } from "./built-command.ts";
import { IoredisConnection } from "./connection.ts";
import type { Client } from "./driver.ts";

export interface ScanStream {
  destroy(error: Error): unknown;
  once(event: "close", listener: () => void): unknown;
  on(event: "error", listener: () => void): unknown;
}

export class CommandRunner {
  readonly #client: Client;
  readonly #stopTimeout: number;
  readonly #blocking: BlockingCommands<IoredisConnection>;
  readonly #recorder: object;
  #isListening = false;

  constructor(client: Client, settings: Required<WithContextOptions>) {
    const { stopTimeout, maxBlocking } = settings;
    this.#client = client;
    this.#stopTimeout = stopTimeout;
    this.#recorder = recorderOf(client);
    this.#blocking = new BlockingCommands({
      kind: "ioredis.block",
      open: () => new IoredisConnection(client),
      max: maxBlocking,
      stopTimeout,
    });
  }

  close(): void {
    this.#blocking.close(true);
  }

  async run(ctx: Context, method: string, args: unknown[]): Promise<unknown> {
    checkCall(ctx, method, args);
    throwIfDone(ctx);
    const command = new BuiltCommand(this.#client, this.#recorder, method, args);
    const what = command.name.toUpperCase();
    // A client that has ended gets the command too, and rejects it with the driver's own error.
    if (!command.isBlocking || this.#client.status === "end") {
      return this.#runOnClient(ctx, "ioredis.command", what, command);
    }
    this.#closeWithClient();
    return this.#blocking.run(ctx, what, ({ client }) => command.send(client));
  }

  /**
   * Executes a transaction or pipeline. One could be removed from the driver's queue only together
   * with all of its commands. So while the client is not ready, a PING waits in the queue instead.
   */
  async exec(ctx: Context, exec: () => Promise<unknown>): Promise<unknown> {
    checkCall(ctx, "exec", []);
    throwIfDone(ctx);
    if (this.#client.status !== "ready") {
      const ping = new BuiltCommand(this.#client, this.#recorder, "ping", []);
      await this.#runOnClient(ctx, "ioredis.wait", "PING", ping);
    }
    return this.#runOnClient(ctx, "ioredis.exec", "EXEC", {
      send: exec,
      withdraw: () => undefined,
    });
  }

  /** Opens a scan stream, which is destroyed with `ctx.err()` when `ctx` ends. */
  stream(ctx: Context, method: string, args: unknown[]): ScanStream {
    checkCall(ctx, method, args);
    throwIfDone(ctx);
    const stream = callMethod(this.#client, method, args) as ScanStream;
    const work = startWork(ctx, "ioredis.scan", method);
    const unregister = afterFunc(ctx, (err) => stream.destroy(err));
    stream.once("close", () => {
      unregister();
      work.end();
      // The driver reports the failure of a page that was requested before the stream was closed.
      stream.on("error", () => undefined);
    });
    return stream;
  }

  #runOnClient(
    ctx: Context,
    kind: string,
    what: string,
    { send, withdraw }: Pick<BuiltCommand, "send" | "withdraw">,
  ): Promise<unknown> {
    return runOnClient(
      ctx,
      {
        kind,
        what,
        send: () => send(this.#client),
        withdraw,
        isWithdrawn: (error) => error === withdrawn,
      },
      this.#stopTimeout,
    );
  }

  #closeWithClient(): void {
    if (this.#isListening) return;
    this.#isListening = true;
    this.#client.on("end", () => this.#blocking.close(false));
  }
}

function checkCall(ctx: unknown, method: string, args: unknown[]): void {
  needContext(ctx, `${method}(ctx, …)`);
  if (typeof args.at(-1) === "function") {
    throw new TypeError(`${method}(ctx, …) returns a promise; leave the callback out`);
  }
}
