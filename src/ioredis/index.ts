/**
 * Redis through `ioredis` 5 and 6: commands that stop with their context.
 *
 * @packageDocumentation
 */
import { handOver, handOverAll } from "../adapter/index.ts";
import { redisSettings, type WithContextOptions } from "../adapter/redis/options.ts";
import { wrongDriver } from "../adapter/wrong-driver.ts";
import type { Context } from "../index.ts";
import { CommandRunner } from "./command-runner.ts";
import type { Client } from "./driver.ts";
import { notCommands } from "./not-commands.ts";
import type { ClientLike, ContextClient } from "./types.ts";

export type { WithContextOptions } from "../adapter/redis/options.ts";
export type {
  ClientLike,
  ContextClient,
  ContextCommands,
  ContextMethods,
  PipelineLike,
  Replies,
  ScanStreams,
} from "./types.ts";

/**
 * Wraps a `Redis` of ioredis, so that every command takes a context first. Call it once for each
 * client. The result has the client's commands, including those of `defineCommand`, and its scan
 * streams. Subscriptions, events and options stay with the client. A callback is refused with a
 * TypeError.
 *
 * When `ctx` ends, a command is withdrawn if it waits in the client's queue, or if it waits to be
 * sent again after its connection broke. A command that was written cannot be withdrawn, and most
 * commands end within microseconds: its answer is awaited for up to the stop timeout. This includes
 * scripts and functions, because Redis can stop them only for all clients at once. Commands are not
 * pipelined automatically.
 *
 * Blocking commands (BLPOP, BLMOVE, XREAD with BLOCK …) run on connections of their own, so that no
 * other command waits behind them, and CLIENT UNBLOCK stops them on the server. The adapter opens
 * these connections with `duplicate()` when it first needs them, and keeps them for later commands.
 * One more connection sends the CLIENT UNBLOCK. A blocking command is never sent a second time.
 * `commandTimeout` and `blockingTimeout` do not apply to it: give its context a deadline instead.
 *
 * Every promise rejects with `ctx.err()` if the context ended its command. It resolves with the
 * result if that came first, so that no popped element is lost. In every other case it rejects with
 * the driver's own error. If `ctx` is done already, nothing is sent.
 *
 * Throws a TypeError for clusters, and for a wrong option.
 *
 * @example
 * const db = withContext(new Redis(url));
 * const name = await db.hget(ctx, "user:7", "name");
 * const job = await db.blpop(ctx, "jobs", 0);
 */
export function withContext<C extends ClientLike>(
  client: C,
  options: WithContextOptions = {},
): ContextClient<C> {
  checkClient(client);
  const runner = new CommandRunner(client, redisSettings(options));
  return contextClient(client, runner) as ContextClient<C>;
}

/** Returns the client's commands with a context first. Each is created when it is first used. */
function contextClient(client: Client, runner: CommandRunner): object {
  const members: Record<string, unknown> = handOverAll({
    exec: (ctx: Context, pipeline: { exec(): Promise<unknown> }) =>
      runner.exec(ctx, () => pipeline.exec()),
    close: () => runner.close(),
  });
  const create = (name: string): unknown => {
    const member = (client as unknown as Record<string, unknown>)[name];
    if (typeof member !== "function" || notCommands.has(name)) return undefined;
    if (name.endsWith("Stream")) {
      return (ctx: Context, ...args: unknown[]) => runner.stream(ctx, name, args);
    }
    return handOver((ctx: Context, ...args: unknown[]) => runner.run(ctx, name, args), name);
  };
  return new Proxy(members, {
    get: (_, name) => (typeof name === "string" ? (members[name] ??= create(name)) : undefined),
  });
}

function checkClient(client: unknown): asserts client is Client {
  const { duplicate, status, isCluster, call } = Object(client) as Partial<Client>;
  if (
    typeof duplicate !== "function" ||
    typeof call !== "function" ||
    typeof status !== "string" ||
    isCluster === true
  ) {
    throw wrongDriver("ioredis", "a Redis of ioredis", client);
  }
}
