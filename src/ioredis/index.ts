/**
 * Redis through `ioredis` 5 and 6: commands that stop with their context.
 *
 * @packageDocumentation
 */
import type { Context } from "../index.ts";
import { STOP_TIMEOUT } from "../adapter/stoppable.ts";
import type { Client } from "./connection.ts";
import { notCommands } from "./not-commands.ts";
import { Runner } from "./runner.ts";
import type { ClientLike, ContextCommands, PipelineLike, Replies, ScanStreams } from "./types.ts";

export type { ClientLike, ContextCommands, PipelineLike, Replies, ScanStreams } from "./types.ts";

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
export type ContextClient<C extends ClientLike> = ContextCommands<C> &
  ScanStreams<C> &
  ContextMethods;

export interface ContextMethods {
  /**
   * Executes what was built with the client's own `multi()` or `pipeline()`:
   * `exec(ctx, client.multi().incr("hits").expire("hits", 60))`. It takes its place in the client's
   * queue when the client is ready, and not before: until then it ends with `ctx`, and nothing was
   * sent. From then on it is one piece, and its answer is waited for, up to the stop timeout.
   */
  exec<P extends PipelineLike>(ctx: Context, pipeline: P): Promise<Replies<P>>;
  /**
   * Closes the connections of blocking commands at once. End the contexts of those that still run
   * first: what the server has just popped for one is lost with its connection. The client stays
   * its owner's; when that ends, so do these, and this call is not needed.
   */
  close(): void;
}

/**
 * The ctx-first face of a `Redis` of ioredis. Make it once per client. It has the client's
 * commands, those of `defineCommand` included, and its scan streams; what is not a command
 * (subscriptions, events, options) stays with the client. Callbacks are refused with a TypeError.
 *
 *     const db = withContext(redis);
 *     const name = await db.hget(ctx, "user:7", "name");
 *     const job = await db.blpop(ctx, "jobs", 0);
 *
 * When `ctx` ends, a command that waits in the client's queue, or waits to be sent again after the
 * connection broke, is withdrawn. One that was written cannot be, and mostly is over in
 * microseconds: its answer is waited for, up to the stop timeout. That goes for scripts and functions as
 * well, which nothing can stop for one caller alone. Nothing is pipelined automatically.
 *
 * Blocking commands (BLPOP, BLMOVE, XREAD with BLOCK …) run on connections of their own, made with
 * `duplicate()` when they are needed, and kept; one more is there to stop them. They hold up
 * nobody, are stopped on the server by CLIENT UNBLOCK, and are never sent a second time.
 * `commandTimeout` and `blockingTimeout` do not apply to them: give the context a deadline.
 *
 * Every promise rejects with `ctx.err()` if the context ended its command, resolves with the
 * result if that came first, so that no popped element is lost, and rejects with the driver's
 * error, untouched, in every other case. If `ctx` is done already, nothing is sent.
 *
 * Throws a TypeError for clusters.
 */
export function withContext<C extends ClientLike>(
  client: C,
  options: WithContextOptions = {},
): ContextClient<C> {
  checkClient(client);
  const { maxBlocking = 32, stopTimeout = STOP_TIMEOUT } = options;
  const runner = new Runner(client, stopTimeout, maxBlocking);
  const own: Record<string, unknown> = {
    exec: (ctx: Context, pipeline: { exec(): Promise<unknown> }) =>
      runner.exec(ctx, () => pipeline.exec()),
    close: () => runner.close(),
  };
  const member = (name: string): unknown => {
    const found = (client as unknown as Record<string, unknown>)[name];
    if (typeof found !== "function" || notCommands.has(name)) return undefined;
    if (name.endsWith("Stream")) {
      return (ctx: Context, ...args: unknown[]) => runner.stream(ctx, name, args);
    }
    return (ctx: Context, ...args: unknown[]) => runner.run(ctx, name, args);
  };
  return new Proxy(own, {
    get: (_, name) => (typeof name === "string" ? (own[name] ??= member(name)) : undefined),
  }) as unknown as ContextClient<C>;
}

function checkClient(client: unknown): asserts client is Client {
  const { duplicate, status, isCluster, call } = Object(client) as Partial<Client>;
  if (
    typeof duplicate !== "function" ||
    typeof call !== "function" ||
    typeof status !== "string" ||
    isCluster === true
  ) {
    throw new TypeError(
      "withContext takes a Redis of `ioredis` (no Cluster, and no client of `redis`: for that, import eightysix/redis)",
    );
  }
}
