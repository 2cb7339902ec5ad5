/**
 * Redis through `redis` (node-redis) 6: commands that stop with their context.
 *
 * @packageDocumentation
 */
import { redisSettings, type WithContextOptions } from "../adapter/redis/options.ts";
import { wrongDriver } from "../adapter/wrong-driver.ts";
import { CommandRunner } from "./command-runner.ts";
import { contextClient } from "./context-client.ts";
import type { Client } from "./driver.ts";
import type { ClientLike, ContextClient } from "./types.ts";

export type { WithContextOptions } from "../adapter/redis/options.ts";
export type {
  ClientLike,
  ContextClient,
  ContextCommands,
  ContextMethods,
  MultiLike,
  RawArguments,
  RawReply,
  Replies,
} from "./types.ts";

/**
 * Wraps a client of `redis`, so that every command takes a context first. Call it once for each
 * client. The result has the client's commands, scan iterators and modules. Subscriptions, events and
 * options stay with the client.
 *
 * When `ctx` ends, a command that waits in the client's queue is withdrawn. A command that was
 * written cannot be withdrawn, and most commands end within microseconds: its answer is awaited for
 * up to the stop timeout. This includes scripts and functions, because Redis can stop them only for
 * all clients at once.
 *
 * Blocking commands (BLPOP, BLMOVE, XREAD with BLOCK …) run on connections of their own, so that no
 * other command waits behind them, and CLIENT UNBLOCK stops them on the server. The adapter opens
 * these connections with `client.duplicate()` when it first needs them, and keeps them for later
 * commands. One more connection sends the CLIENT UNBLOCK. They use the database of the client's
 * options, not one that was selected later.
 *
 * Every promise rejects with `ctx.err()` if the context ended its command. It resolves with the
 * result if that came first, so that no popped element is lost. In every other case it rejects with
 * the driver's own error. If `ctx` is done already, nothing is sent.
 *
 * Throws a TypeError for pools, clusters and sentinels, and for a wrong option.
 *
 * @example
 * const db = withContext(await createClient().connect());
 * const name = await db.hGet(ctx, "user:7", "name");
 * const job = await db.blPop(ctx, "jobs", 0);
 */
export function withContext<C extends ClientLike>(
  client: C,
  options: WithContextOptions = {},
): ContextClient<C> {
  checkClient(client);
  const runner = new CommandRunner(client, redisSettings(options));
  return contextClient(client, runner) as ContextClient<C>;
}

function checkClient(client: unknown): asserts client is Client {
  const { duplicate, withAbortSignal, isReady } = Object(client) as Partial<Client>;
  if (
    typeof duplicate !== "function" ||
    typeof withAbortSignal !== "function" ||
    typeof isReady !== "boolean"
  ) {
    throw wrongDriver("redis", "a client of redis, as createClient() returns it", client);
  }
}
