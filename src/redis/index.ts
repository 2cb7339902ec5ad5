/**
 * Redis through `redis` (node-redis) 6: commands that stop with their context.
 *
 * @packageDocumentation
 */
import type { Context } from "../index.ts";
import { blocks, hasBlock } from "../adapter/redis/commands.ts";
import { STOP_TIMEOUT } from "../adapter/stoppable.ts";
import type { Client } from "./connection.ts";
import { notCommands } from "./not-commands.ts";
import { Runner } from "./runner.ts";
import type {
  ClientLike,
  ContextCommands,
  MultiLike,
  RawArguments,
  RawReply,
  Replies,
} from "./types.ts";

export type {
  ClientLike,
  ContextCommands,
  MultiLike,
  RawArguments,
  RawReply,
  Replies,
} from "./types.ts";

export interface WithContextOptions {
  /**
   * How many blocking commands may run at once, each on a connection of its own, 32 by default.
   * The next one waits its turn.
   */
  maxBlocking?: number;
  /**
   * How long the server may take to answer after the end of a context, in milliseconds, 2000 by
   * default. After that the caller gets `ctx.err()`, and the receipt says "abandoned".
   */
  stopTimeout?: number;
}

/** The client's commands, which take a context first. Made by `withContext`. */
export type ContextClient<C extends ClientLike> = ContextCommands<C> & ContextMethods<C>;

export interface ContextMethods<C extends ClientLike> {
  /** As the driver's `sendCommand`: any command, as it goes to the server. */
  sendCommand<T = RawReply<C>>(ctx: Context, ...args: RawArguments<C>): Promise<T>;
  /**
   * Executes a transaction that was built with the client's own `multi()`:
   * `exec(ctx, client.multi().incr("hits").expire("hits", 60))`. It takes its place in the client's
   * queue when the client is ready, and not before: until then it ends with `ctx`, and nothing was
   * sent. From then on it is one piece, and its answer is waited for, up to the stop timeout.
   */
  exec<M extends MultiLike>(ctx: Context, multi: M): Promise<Replies<M>>;
  /** As `exec`, without a transaction around the commands. */
  execAsPipeline<M extends MultiLike>(ctx: Context, multi: M): Promise<Replies<M>>;
  /**
   * Closes the connections of blocking commands at once. End the contexts of those that still run
   * first: what the server has just popped for one is lost with its connection. The client stays
   * its owner's; when that is closed, so are these, and this call is not needed.
   */
  close(): void;
}

/**
 * The ctx-first face of a client of `redis`. Make it once per client. It has the client's commands,
 * scan iterators and modules; what is not a command (subscriptions, events, options) stays with
 * the client.
 *
 *     const db = withContext(client);
 *     const name = await db.hGet(ctx, "user:7", "name");
 *     const job = await db.blPop(ctx, "jobs", 0);
 *
 * When `ctx` ends, a command that waits in the client's queue is withdrawn. One that was written
 * cannot be, and mostly is over in microseconds: its answer is waited for, up to the stop timeout. That
 * goes for scripts and functions as well, which nothing can stop for one caller alone.
 *
 * Blocking commands (BLPOP, BLMOVE, XREAD with BLOCK …) run on connections of their own, made with
 * `client.duplicate()` when they are needed, and kept; one more is there to stop them. They hold up
 * nobody, and are stopped on the server by CLIENT UNBLOCK. They use the database of the client's
 * options, not one that was selected later.
 *
 * Every promise rejects with `ctx.err()` if the context ended its command, resolves with the
 * result if that came first, so that no popped element is lost, and rejects with the driver's
 * error, untouched, in every other case. If `ctx` is done already, nothing is sent.
 *
 * Throws a TypeError for pools, clusters and sentinels.
 */
export function withContext<C extends ClientLike>(
  client: C,
  options: WithContextOptions = {},
): ContextClient<C> {
  checkClient(client);
  const { maxBlocking = 32, stopTimeout = STOP_TIMEOUT } = options;
  const runner = new Runner(client, stopTimeout, maxBlocking);
  const own: Record<string, unknown> = {
    sendCommand: (ctx: Context, args: readonly unknown[], commandOptions?: object) => {
      const name = String(args[0]).toUpperCase();
      return runner.run(ctx, {
        method: "sendCommand",
        what: name,
        blocks: blocks(name, () => hasBlock(args)),
        on: (on) => on.sendCommand(args, commandOptions),
      });
    },
    exec: (ctx: Context, multi: Multi) => runner.exec(ctx, "exec", () => multi.exec()),
    execAsPipeline: (ctx: Context, multi: Multi) =>
      runner.exec(ctx, "execAsPipeline", () => multi.execAsPipeline()),
    close: () => runner.close(),
  };
  const find = (name: string) => member(name, client as unknown as Named, (on) => on, runner);
  return new Proxy(own, {
    get: (_, name) => (typeof name === "string" ? (own[name] ??= find(name)) : undefined),
  }) as unknown as ContextClient<C>;
}

interface Multi {
  exec(): Promise<unknown>;
  execAsPipeline(): Promise<unknown>;
}

type Named = Record<string, unknown>;
type Method = (...args: unknown[]) => Promise<unknown>;

/** What `object`, the client or one of its modules, has under this name, with a context first. */
function member(
  name: string,
  object: Named,
  of: (client: Named) => Named,
  runner: Runner,
): unknown {
  if (notCommands.has(name) || name.startsWith("_")) return undefined;
  const found = object[name];
  if (typeof found === "object" && found !== null) {
    const own: Named = {};
    const module = (client: Named) => of(client)[name] as Named;
    return new Proxy(own, {
      get: (_, key) =>
        typeof key === "string"
          ? (own[key] ??= member(key, found as Named, module, runner))
          : undefined,
    });
  }
  if (typeof found !== "function") return undefined;
  const call = (client: Client, args: unknown[]): Promise<unknown> => {
    const on = of(client as unknown as Named);
    return (on[name] as Method).apply(on, args);
  };
  if (name.endsWith("Iterator")) {
    return (ctx: Context, ...args: unknown[]) =>
      runner.iterate(
        ctx,
        name,
        (client) => call(client, args) as unknown as AsyncIterator<unknown>,
      );
  }
  return (ctx: Context, ...args: unknown[]) =>
    runner.run(ctx, {
      method: name,
      what: name.toUpperCase(),
      blocks: blocks(name, () => args.some(isBlockOption)),
      on: (client) => call(client, args),
    });
}

/** The last argument of xRead and xReadGroup. */
function isBlockOption(arg: unknown): boolean {
  return (Object(arg) as { BLOCK?: unknown }).BLOCK !== undefined;
}

function checkClient(client: unknown): asserts client is Client {
  const { duplicate, withAbortSignal, isReady } = Object(client) as Partial<Client>;
  if (
    typeof duplicate !== "function" ||
    typeof withAbortSignal !== "function" ||
    typeof isReady !== "boolean"
  ) {
    throw new TypeError(
      "withContext takes a client of `redis`, as createClient() makes it (no pool, cluster or sentinel, and none of ioredis: for that, import eightysix/ioredis)",
    );
  }
}
