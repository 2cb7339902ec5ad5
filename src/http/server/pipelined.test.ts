/** What a shutdown does to several requests on one HTTP/1 connection, and to responses on their way. */
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { Client, until } from "../../../test/raw-http.ts";
import { handler, serve, type ServeOptions } from "../index.ts";

/** A server behind `serve` whose requests the test responds to, by their numbers from 0 on. */
async function start(options: ServeOptions = {}) {
  const open: ServerResponse[] = [];
  const server = createServer(
    handler(async (_ctx, _req, res: ServerResponse) => {
      open.push(res);
      if (!res.destroyed) await once(res, "close");
    }),
  );
  server.keepAliveTimeout = 60_000; // longer than a slow machine takes for a test
  const serving = serve(server, { signals: [], gracePeriod: 60_000, ...options });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const clients: Client[] = [];
  return {
    open,
    serving,
    async client(): Promise<Client> {
      const { port } = server.address() as AddressInfo;
      const client = new Client(connect({ port, host: "127.0.0.1", allowHalfOpen: true }));
      await once(client.socket, "connect");
      clients.push(client);
      return client;
    },
    /** Sends this many requests in one packet, and waits until all handlers have started. */
    async ask(client: Client, count: number): Promise<void> {
      const expected = open.length + count;
      client.socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(count));
      await until(() => open.length === expected);
    },
    respond: (i: number): unknown => open[i]?.end(`response ${i}`),
    async [Symbol.asyncDispose]() {
      for (const { socket } of clients) socket.destroy();
      await serving.close();
    },
  };
}

/** The statuses and the bodies of the responses so far, and which of them say `close`. */
function responses({ received }: Client): string[] {
  return received
    .split("HTTP/1.1 ")
    .slice(1)
    .map((text) => {
      const close = /^connection: close\r$/im.test(text) ? " close" : "";
      return `${text.slice(0, 3)} ${text.split("\r\n\r\n")[1]}${close}`;
    });
}

const numbered = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `200 response ${i}${i === count - 1 ? " close" : ""}`);
const all = (drained: number) => ({ drained, canceled: 0, destroyed: 0 });

describe("a shutdown with pipelined requests", () => {
  test.each([
    ["in their order", [0, 1, 2]],
    ["in reverse", [2, 1, 0]],
    ["the middle one first", [1, 0, 2]],
  ])(
    "sends all responses if handlers end them %s, and closes behind the last one",
    async (_, order) => {
      await using server = await start();
      const client = await server.client();
      await server.ask(client, 3);
      const closed = server.serving.close();
      for (const i of order) server.respond(i);
      expect(await closed).toMatchObject(all(3));
      await until(() => client.ended);
      expect(responses(client)).toEqual(numbered(3));
    },
  );

  test("sends responses that were ended before, and that wait for an earlier one", async () => {
    await using server = await start();
    const client = await server.client();
    await server.ask(client, 3);
    server.respond(1);
    server.respond(2);
    const closed = server.serving.close();
    server.respond(0);
    expect(await closed).toMatchObject(all(3));
    await until(() => client.ended);
    expect(responses(client)).toEqual(numbered(3));
  });

  test("serves a request that arrives on a busy connection", async () => {
    await using server = await start();
    const client = await server.client();
    await server.ask(client, 1);
    const closed = server.serving.close();
    await until(() => client.ended || server.serving.draining);
    await server.ask(client, 2);
    await server.ask(client, 1);
    for (const i of [0, 1, 2, 3]) server.respond(i);
    expect(await closed).toMatchObject(all(4));
    await until(() => client.ended);
    expect(responses(client)).toEqual(numbered(4));
  });

  test("serves a request that arrives when a response behind the first one has been ended", async () => {
    await using server = await start();
    const client = await server.client();
    await server.ask(client, 2);
    const closed = server.serving.close();
    server.respond(1); // waits behind 0
    await server.ask(client, 1);
    server.respond(2);
    server.respond(0);
    expect(await closed).toMatchObject(all(3));
    await until(() => client.ended);
    expect(responses(client)).toEqual(numbered(3));
  });

  test("does not run a handler behind a response that has said `close`, and does not count it", async () => {
    await using server = await start();
    const client = await server.client();
    await server.ask(client, 1);
    const closed = server.serving.close();
    server.open[0]?.write("begun");
    await client.answer();
    client.post("body");
    client.get();
    await new Promise((resolve) => setTimeout(resolve, 50)); // time for a handler to start
    server.open[0]?.end();
    expect(await closed).toMatchObject(all(1));
    expect(server.open.length).toBe(1);
    expect(client.statuses).toEqual([200]);
  });

  test("answers 503 to a request that arrives after the grace period, and not before", async () => {
    await using server = await start({ gracePeriod: 150, forceAfter: 60_000 });
    const client = await server.client();
    await server.ask(client, 1);
    server.open[0]?.write("begun, ");
    await client.answer();
    const closed = server.serving.close();
    await server.ask(client, 1);
    server.respond(1);
    await until(() => server.serving.requests.err() !== undefined);
    client.get();
    await new Promise((resolve) => setTimeout(resolve, 50));
    server.open[0]?.end("done");
    await closed;
    await until(() => client.ended);
    expect(client.statuses).toEqual([200, 200, 503]);
    expect(responses(client)[2]).toMatch(/^503 .*close$/s);
    expect(server.open.length).toBe(2);
  });
});

describe("a shutdown with idle connections", () => {
  test("serves a request that arrives on one during `delay`, and closes it afterwards", async () => {
    await using server = await start({ delay: 2_000 });
    const clients = [await server.client(), await server.client()];
    for (const [i, client] of clients.entries()) {
      await server.ask(client, 1);
      server.respond(i);
      await client.answer();
    }
    const closed = server.serving.close();
    const [asks, stays] = clients as [Client, Client];
    await server.ask(asks, 2);
    server.respond(2);
    server.respond(3);
    await until(() => asks.ended);
    expect(responses(asks)).toEqual(["200 response 0", "200 response 2", "200 response 3 close"]);
    expect(stays.ended).toBe(false);
    expect(await closed).toMatchObject(all(2));
    await until(() => stays.ended);
    expect(stays.statuses).toEqual([200]);
  });
});

describe("a shutdown with a slow client", () => {
  test.each([1, 3])("sends %i large responses that handlers have ended", async (count) => {
    const size = 5_000_000; // more than the buffers of a connection
    await using server = await start();
    const client = await server.client();
    client.socket.pause();
    await server.ask(client, count);
    for (const res of server.open) res.end("x".repeat(size));
    const closed = server.serving.close();
    await new Promise((resolve) => setTimeout(resolve, 150)); // some searches for idle connections
    client.socket.resume();
    expect(await closed).toMatchObject(all(count));
    await until(() => client.ended);
    expect(client.statuses).toEqual(Array(count).fill(200));
    expect(client.received.length - client.received.replaceAll("x", "").length).toBe(count * size);
  });
});
