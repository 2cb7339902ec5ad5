/** What tests ask a real Redis, such as which connections wait, and keys of the test's own. */
import { randomUUID } from "node:crypto";
import { createClient } from "redis";
import { onTestFinished } from "vitest";
import { describeWith, serverUrl, testWith } from "./server.ts";

export { until } from "./wait.ts";

export const testRedis = testWith("redis");
export const describeRedis = describeWith("redis");

/** Returns the URL of the run's server. Other tests use it too: see `keyPrefix`. */
export function redisUrl(): string {
  return serverUrl("redis");
}

export type RedisClient = ReturnType<typeof createClient>;

/** Returns a connected client that closes with the test. */
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

/** Returns a text that no other test of any run has, for names of connections and the like. */
export function uniqueName(): string {
  return `eightysix_test_${randomUUID()}`;
}

/** Returns a prefix for the test's keys. Keys with this prefix are removed after the test. */
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
  /** Returns the connections with this name (CLIENT SETNAME). */
  clients(name: string): Promise<ClientInfo[]>;
  /** Returns how many connections wait in a blocking command: those with this name, or all. */
  blocked(name?: string): Promise<number>;
  readonly client: RedisClient;
}

/** Opens a connection that observes the server. It closes with the test. */
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
      // The flag b means that the connection waits in a blocking command.
      return all.filter((c) => c.flags.includes("b") && (name === undefined || c.name === name))
        .length;
    },
  };
}
