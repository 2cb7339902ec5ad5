import type { IncomingMessage, ServerResponse } from "node:http";
import { describe, expect, test, vi } from "vitest";
import { serve, until } from "../../test/raw-http.ts";
import { lateAnswers } from "../../test/support/framework-suite/late-answers.ts";
import { connect } from "../../test/support/frameworks/connect.ts";
import { transports } from "../../test/support/transports/index.ts";
import { cause, sleep, type Context } from "../index.ts";
import { ClientDisconnected, LocalTimeout, middleware, requestContext } from "./index.ts";

vi.setConfig({ testTimeout: 30_000 });

type Route = (req: IncomingMessage, res: ServerResponse) => unknown;

/** Starts a server that calls the middleware, as Connect does, and then `route`, which may reject. */
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

test("a route gets the context that the middleware has created", async () => {
  await using server = await app((_, res) => res.end("ok"), { timeout: 60_000 });
  const client = await server.client();
  client.get();
  expect(await client.answer()).toMatch(/ 200 OK/);
  expect(server.seen[0]?.deadline()).toBeInstanceOf(Date);
});

test("a route that exceeds the timeout is canceled, and the middleware responds with 503", async () => {
  await using server = await app((req) => sleep(requestContext(req), Infinity), { timeout: 20 });
  const client = await server.client();
  client.get();
  expect(await client.answer()).toMatch(/ 503 /);
  expect(cause(server.seen[0]!)).toBeInstanceOf(LocalTimeout);
});

test("the context of a route is canceled when the client disconnects", async () => {
  await using server = await app(() => undefined, {});
  const client = await server.client();
  client.get();
  await until(() => server.seen.length === 1);
  client.leave("RST");
  await until(() => server.seen[0]!.err() !== undefined);
  expect(cause(server.seen[0]!)).toBeInstanceOf(ClientDisconnected);
});

test("no route runs if the caller's deadline has passed", async () => {
  await using server = await app((_, res) => res.end("ok"), { deadline: true });
  const client = await server.client();
  client.socket.write("GET / HTTP/1.1\r\nHost: x\r\nX-Request-Timeout-Ms: 0\r\n\r\n");
  expect(await client.answer()).toMatch(/ 504 /);
  expect(server.seen).toEqual([]);
});

describe.each(transports)("over $name, an answer to a request whose route goes on", (transport) => {
  if (transport.missing === undefined) lateAnswers(connect, transport);
  else test("has no suite", ({ skip }) => skip(transport.missing));
});
