/** Runs what users ask of a client: on the client itself, or on a connection of our own. */
import { afterFunc, startWork, throwIfDone, type Context } from "../index.ts";
import { BlockingCommands } from "../adapter/redis/blocking.ts";
import { needContext } from "../adapter/misuse.ts";
import { blocks, hasBlock, runCommand } from "../adapter/redis/commands.ts";
import { IoredisConnection, withdraw, type Client, type Command } from "./connection.ts";

/** What a withdrawn command fails with; its caller gets `ctx.err()`. */
const withdrawn = new Error("withdrawn");

export class Runner {
  readonly #client: Client;
  readonly #stopTimeout: number;
  readonly #blocking: BlockingCommands<IoredisConnection>;
  readonly #recorder: object;
  #listening = false;

  constructor(client: Client, stopTimeout: number, maxBlocking: number) {
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
    check(ctx, method, args);
    throwIfDone(ctx);
    const built = new Built(this.#client, this.#recorder, method, args);
    const what = built.name.toUpperCase();
    // A client that has ended says so itself.
    if (!built.blocks || this.#client.status === "end") {
      return this.#command(ctx, "ioredis.command", what, built);
    }
    if (!this.#listening) {
      this.#listening = true;
      this.#client.on("end", () => this.#blocking.close(false));
    }
    return this.#blocking.run(ctx, what, ({ client }) => built.send(client));
  }

  /**
   * Out of the driver's queue a transaction could be taken only with all of its commands. So one
   * that cannot be written yet does not go there: a PING waits in its stead.
   */
  async exec(ctx: Context, exec: () => Promise<unknown>): Promise<unknown> {
    check(ctx, "exec", []);
    throwIfDone(ctx);
    if (this.#client.status !== "ready") {
      const ping = new Built(this.#client, this.#recorder, "ping", []);
      await this.#command(ctx, "ioredis.wait", "PING", ping);
    }
    return this.#command(ctx, "ioredis.exec", "EXEC", {
      send: exec,
      withdraw: () => undefined,
    });
  }

  /** A scan stream that is destroyed with `ctx.err()`. */
  stream(ctx: Context, method: string, args: unknown[]): Stream {
    check(ctx, method, args);
    throwIfDone(ctx);
    const stream = call(this.#client, method, args) as Stream;
    const work = startWork(ctx, "ioredis.scan", method);
    const stop = afterFunc(ctx, (err) => stream.destroy(err));
    stream.once("close", () => {
      stop();
      work.end();
      // The driver reports the failure of a page that nobody waits for any more.
      stream.on("error", () => undefined);
    });
    return stream;
  }

  #command(
    ctx: Context,
    kind: string,
    what: string,
    { send, withdraw }: Pick<Built, "send" | "withdraw">,
  ): Promise<unknown> {
    return runCommand(
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
}

/**
 * A command that the driver has built and not sent: its method was called on an object that only
 * looks like the client, and keeps what it is to send.
 */
class Built {
  readonly #client: Client;
  readonly #command: Command;
  readonly #answer: Promise<unknown>;
  #again: Command | undefined;
  #sentOn: Client | undefined;

  constructor(client: Client, recorder: object, method: string, args: unknown[]) {
    this.#client = client;
    let command: Command | undefined;
    const own = Object.create(recorder) as Recorder;
    own.record = (built) => {
      if (command === undefined) command = built;
      else this.#sendAgain(built);
    };
    this.#answer = call(own, method, args) as Promise<unknown>;
    if (command === undefined) {
      throw new TypeError(`${method} is no command; call it on the client itself`);
    }
    this.#command = command;
    this.#answer.catch(() => undefined); // until somebody waits for it
  }

  get name(): string {
    return this.#command.name;
  }

  get blocks(): boolean {
    const { name, args } = this.#command;
    return blocks(name, () => hasBlock(args));
  }

  readonly send = (client: Client): Promise<unknown> => {
    this.#sentOn = client;
    client.sendCommand(this.#command);
    return this.#answer;
  };

  readonly withdraw = (): void => {
    withdraw(this.#client, this.#again ?? this.#command, withdrawn);
  };

  /** A script that the server did not know comes a second time, as its source. */
  #sendAgain(command: Command): void {
    this.#again = command;
    this.#sentOn?.sendCommand(command);
  }
}

/** What looks like the client, and keeps what it is to send. */
interface Recorder {
  record(command: Command): void;
}

/** The prototype of them all: one for each command would cost more than sending it. */
function recorderOf(client: Client): object {
  return Object.create(client, {
    // Otherwise commands would be put into a pipeline with others.
    options: {
      value: Object.create(client.options, { enableAutoPipelining: { value: false } }) as object,
    },
    sendCommand: {
      value(this: Recorder, command: Command) {
        this.record(command);
        return command.promise;
      },
    },
  }) as object;
}

function call(object: object, method: string, args: unknown[]): unknown {
  const found = (object as Record<string, unknown>)[method];
  return Reflect.apply(found as (...args: unknown[]) => unknown, object, args);
}

export interface Stream {
  destroy(error: Error): unknown;
  once(event: "close", listener: () => void): unknown;
  on(event: "error", listener: () => void): unknown;
}

function check(ctx: unknown, method: string, args: unknown[]): void {
  needContext(ctx, `${method}(ctx, …)`);
  if (typeof args.at(-1) === "function") {
    throw new TypeError(`${method}(ctx, …) returns a promise; leave the callback out`);
  }
}
