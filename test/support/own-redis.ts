/** Looks on at a Redis of a test's own, where all connections are the test's. */
import { createClient } from "redis";

/** The server's own word, over a connection of its own. The caller closes it. */
export async function observeRedis(url: string) {
  const client = createClient({ url });
  client.on("error", () => undefined); // tests kill servers
  await client.connect();
  const list = async (): Promise<string[]> =>
    (await client.sendCommand<string>(["CLIENT", "LIST"])).trim().split("\n");
  return {
    client,
    /** How many connections there are, but for this one. */
    connections: async () => (await list()).length - 1,
    /** How many of them wait in a blocking command. */
    blocked: async () => (await list()).filter((line) => / flags=\w*b/.test(line)).length,
    close: () => client.destroy(),
  };
}
