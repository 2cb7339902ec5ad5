/** The undocumented parts of redis that driver.ts relies on. */
import { createClient } from "redis";
import { expect, onTestFinished, test } from "vitest";
import { isAborted, type Client } from "./driver.ts";

test("redis still rejects an aborted command with the error that isAborted recognizes", async () => {
  const client = createClient({ socket: { port: 1, reconnectStrategy: 20 } });
  client.on("error", () => undefined);
  client.connect().catch(() => undefined);
  onTestFinished(() => client.destroy());
  const controller = new AbortController();
  const answer = client.withAbortSignal(controller.signal).get("k");
  controller.abort();
  const error: unknown = await answer.catch((e: unknown) => e);
  expect(isAborted(error)).toBe(true);
});

test("redis still has clientSideCache on a client, and undefined without one", () => {
  const cached = createClient({ RESP: 3, clientSideCache: {} }) as unknown as Client;
  expect(cached.clientSideCache).toBeDefined();
  const plain = createClient() as unknown as Client;
  expect("clientSideCache" in plain).toBe(true);
  expect(plain.clientSideCache).toBeUndefined();
});

test("redis still emits `terminated` when the reconnect strategy gives up", async () => {
  const client = createClient({ socket: { port: 1, reconnectStrategy: false } });
  client.on("error", () => undefined);
  const terminated = new Promise((resolve) => client.once("terminated", resolve));
  client.connect().catch(() => undefined);
  await terminated;
});
