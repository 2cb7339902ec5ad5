/** What tests ask a real Redis: the server's own word on who waits, and keys of the test's own. */
import { randomUUID } from "node:crypto";
import { createClient } from "redis";
import { describe, inject, onTestFinished, test } from "vitest";

export { until } from "./wait.ts";

const missing = inject("redisUrl") === undefined;

/** `test` and `describe` of what needs the server: skipped where there is none. */
export const testRedis = test.skipIf(missing);
export const describeRedis = describe.skipIf(missing);

/** The connection string of the run's server. Others use it: see `keyPrefix`. */
export function redisUrl(): string {
  const url = inject("redisUrl");
  if (url === undefined) throw new Error("there is no Redis: use testRedis in place of test");
  return url;
}

export type RedisClient = ReturnType<typeof createClient>;

/** A connected client that ends with the test. */
export async function testClient(
  options: Parameters<typeof createClient>[0] = {},
): Promise<RedisClient> {
  const client = createClient({ url: redisUrl(), ...options });
  client.on("error", () => undefined); // tests break connections
  onTestFinished(() => {
    if (client.isOpen) client.destroy();
  });
  await client.connect();
  return client;
}

/** A text that no other test has, of any run: for names of connections, say. */
export function uniqueName(): string {
  return `eightysix_test_${randomUUID()}`;
}

/** A beginning for the test's keys. Keys that begin with it are removed after the test. */
export async function keyPrefix(url = redisUrl()): Promise<string> {
  const prefix = `${uniqueName()}:`;
  const client = createClient({ url });
  client.on("error", () => undefined);
  await client.connect();
  onTestFinished(async () => {
    for await (const keys of client.scanIterator({ MATCH: `${prefix}*`, COUNT: 1_000 })) {
      if (keys.length > 0) await client.unlink(keys);
    }
    client.destroy();
  });
  return prefix;
}

export type ClientInfo = Awaited<ReturnType<RedisClient["clientList"]>>[number];

export interface Observer {
  /** The connections of this name (CLIENT SETNAME). */
  clients(name: string): Promise<ClientInfo[]>;
  /** How many connections wait in a blocking command: those of this name, or all on the server. */
  blocked(name?: string): Promise<number>;
  readonly client: RedisClient;
}

/** Looks on from a connection of its own, which ends with the test. */
export async function observer(
  options: Parameters<typeof createClient>[0] = {},
): Promise<Observer> {
  const client = await testClient(options);
  return {
    client,
    async clients(name) {
      return (await client.clientList()).filter((one) => one.name === name);
    },
    async blocked(name) {
      const all = await client.clientList();
      // The flag b: waits in a blocking command.
      return all.filter((c) => c.flags.includes("b") && (name === undefined || c.name === name))
        .length;
    },
  };
}
