/**
 * The undocumented parts of ioredis that driver.ts relies on. index.test.ts covers `prevCommandQueue`
 * and `condition`, which need a server.
 */
import { Redis } from "ioredis";
import { expect, onTestFinished, test } from "vitest";
import { withdraw, type Client, type Command } from "./driver.ts";

/** Returns a client that finds no server. */
function offlineClient(): Client {
  const redis = new Redis({ port: 1, retryStrategy: () => 1_000, maxRetriesPerRequest: null });
  redis.on("error", () => undefined);
  onTestFinished(() => redis.disconnect());
  return redis as unknown as Client;
}

test("ioredis still keeps a command that was not written in offlineQueue", async () => {
  const client = offlineClient();
  const answer = client.call("GET", "k");
  expect(client.offlineQueue?.length).toBe(1);
  const { command } = client.offlineQueue?.peekAt(0) ?? {};
  expect(command?.name.toUpperCase()).toBe("GET");
  expect(command?.args.map(String)).toEqual(["k"]);
  const reason = new Error("withdrawn");
  withdraw(client, command!, reason);
  await expect(answer).rejects.toBe(reason);
  expect(client.offlineQueue?.length).toBe(0);
});

test("ioredis still has `isCluster`, `options.retryStrategy` and the socket in `stream`", async () => {
  const client = offlineClient();
  expect(client.isCluster).toBe(false);
  expect(client.options).toHaveProperty("retryStrategy");
  await new Promise((resolve) => client.on("error", () => resolve(undefined)));
  expect(typeof client.stream?.destroy).toBe("function");
});

test("ioredis still sends a command through `this.sendCommand`, before its method returns", () => {
  const sent: Command[] = [];
  const recorder = Object.create(offlineClient(), {
    sendCommand: {
      value(command: Command) {
        sent.push(command);
        return command.promise;
      },
    },
  }) as Redis;
  recorder.get("k").catch(() => undefined);
  expect(sent.map(({ name }) => name)).toEqual(["get"]);
});
