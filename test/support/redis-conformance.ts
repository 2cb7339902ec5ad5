/** What the descriptions of redis and ioredis share: a Redis of the test file's own. */
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll } from "vitest";
import { startRedis, type RedisServer } from "../../servers/redis.ts";
import { background, withCancel, type Context } from "../../src/index.ts";
import type { AdapterUnderTest } from "../../src/testing/conformance/index.ts";
import { observeRedis } from "./own-redis.ts";

/** A key that holds no list, so that BLPOP fails. */
export const NO_LIST = "no-list";

/** Redis checks the timeouts of blocked clients that often in a second. */
const HZ = 500;

/** Returns the timeout of a BLPOP, in seconds. The timeout 0 would mean none. */
export const secondsOf = (ms: number): number => Math.max(ms, 1) / 1000;

/** Starts a server for this test file, and returns the parts that every driver shares. */
export function onRedis() {
  let server: RedisServer;
  let look: Awaited<ReturnType<typeof observeRedis>>;
  beforeAll(async () => {
    server = await startRedis({ settings: { hz: HZ, "dynamic-hz": "no" } });
    look = await observeRedis(server.url);
    await look.client.set(NO_LIST, "a string");
  });
  afterAll(async () => {
    look.close();
    await server.stop();
  });
  const shared = {
    server: () => ({ host: server.host, port: server.port }),
    // CLIENT LIST does not show for which key a client waits. Each test runs one such command at a time.
    isRunning: async () => (await look.blocked()) > 0,
    isStopRequest: (bytes) => bytes.includes("UNBLOCK"),
    isFailure: (error) => String(error).includes("WRONGTYPE"),
  } satisfies Partial<AdapterUnderTest<unknown>>;
  return {
    shared,
    /**
     * Stops a blocking command, so that the connection for CLIENT UNBLOCK is open. The kit takes the
     * last connection that sent something for the connection of its operation.
     */
    warmUp: async (block: (ctx: Context) => Promise<unknown>): Promise<void> => {
      using ctx = withCancel(background());
      const blocking = block(ctx).catch(() => undefined);
      while ((await look.blocked()) === 0) await delay(2);
      ctx.cancel();
      await blocking;
    },
    /** Returns the URL of the server behind another address. */
    urlAt: ({ host, port }: { host: string; port: number }): string => {
      const url = new URL(server.url);
      url.host = `${host}:${port}`;
      return url.href;
    },
  };
}
