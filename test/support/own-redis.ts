/** A Redis of a test file's own, on which all connections are those of the test. */
import { createClient } from "redis";
import { describe } from "vitest";
import { redisMissing } from "../../servers/redis.ts";

/** `describe` for tests that start a Redis. They are skipped if it is not installed. */
export const describeOwnRedis = describe.skipIf(redisMissing() !== undefined);

/** Opens a connection that observes the server at `url`. The caller closes it. */
export async function observeRedis(url: string) {
  const client = createClient({ url });
  client.on("error", () => undefined); // tests kill servers
  await client.connect();
  const list = async (): Promise<string[]> =>
    (await client.sendCommand<string>(["CLIENT", "LIST"])).trim().split("\n");
  return {
    client,
    /** Returns the number of connections, without this one. */
    connections: async () => (await list()).length - 1,
    /** Returns how many connections wait in a blocking command. */
    blocked: async () => (await list()).filter((line) => / flags=\w*b/.test(line)).length,
    close: () => client.destroy(),
  };
}
