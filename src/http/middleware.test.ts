import type { IncomingMessage, ServerResponse } from "node:http";
import { expect, test, vi } from "vitest";
import { serve, until } from "../../test/raw-http.ts";
import { cause, sleep, type Context } from "../index.ts";
import { ClientDisconnected, LocalTimeout, middleware, requestContext } from "./index.ts";

vi.setConfig({ testTimeout: 30_000 });

type Route = (req: IncomingMessage, res: ServerResponse) => unknown;

/** As Connect calls it: the middleware, then a route that rejects when it is stopped. */
async function app(route: Route, options: Parameters<typeof middleware>[0]) {
  const seen: Context[] = [];
  const use = middleware(options);
  const server = await serve((req, res) => {
    use(req, res, () => {
      seen.push(requestContext(req));
      void Promise.resolve(route(req, res)).catch(() => undefined);
    });
  });
  return Object.assign(server, { seen });
}

test("routes get the context that the middleware has made", async () => {
  await using server = await app((_, res) => res.end("ok"), { timeout: 60_000 });
  const client = await server.client();
  client.get();
  expect(await client.answer()).toMatch(/ 200 OK/);
  expect(server.seen[0]?.deadline()).toBeInstanceOf(Date);
});

test("a route that is late is answered for, and stopped", async () => {
  await using server = await app((req) => sleep(requestContext(req), Infinity), { timeout: 20 });
  const client = await server.client();
  client.get();
  expect(await client.answer()).toMatch(/ 503 /);
  expect(cause(server.seen[0]!)).toBeInstanceOf(LocalTimeout);
});

test("it hears of the client that leaves", async () => {
  await using server = await app(() => undefined, {});
  const client = await server.client();
  client.get();
  await until(() => server.seen.length === 1);
  client.leave("RST");
  await until(() => server.seen[0]!.err() !== undefined);
  expect(cause(server.seen[0]!)).toBeInstanceOf(ClientDisconnected);
});

test("no route runs for a caller whose time is up", async () => {
  await using server = await app((_, res) => res.end("ok"), { deadline: true });
  const client = await server.client();
  client.socket.write("GET / HTTP/1.1\r\nHost: x\r\nX-Request-Timeout-Ms: 0\r\n\r\n");
  expect(await client.answer()).toMatch(/ 504 /);
  expect(server.seen).toEqual([]);
});
