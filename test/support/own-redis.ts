/** Observes a Redis in which every connection belongs to one test. */
import { createClient } from "redis";

/** Connects an observer to the server. The caller closes it. */
export async function observeRedis(url: string) {
  const client = createClient({ url });
  client.on("error", () => undefined); // tests kill servers
  await client.connect();
  const list = async (): Promise<string[]> =>
    (await client.sendCommand<string>(["CLIENT", "LIST"])).trim().split("\n");
  return {
    client,
    /** Returns how many connections there are, without this one. */
    connections: async () => (await list()).length - 1,
    /** Returns how many of them wait in a blocking command. */
    blocked: async () => (await list()).filter((line) => / flags=\w*b/.test(line)).length,
    close: () => client.destroy(),
  };
}
