/** The statements of docs/graphql-yoga.md, over real sockets. */
import { once } from "node:events";
import type { RequestListener } from "node:http";
import {
  connect,
  createServer as createHttp2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { createSchema, createYoga, maskError } from "graphql-yoga";
import { describe, expect, test, vi } from "vitest";
import {
  ClientDisconnected,
  handler,
  LocalTimeout,
  RemoteDeadline,
  RequestFinished,
  statusOf,
} from "../../src/http/index.ts";
import { background, cause, sleep, within, type Context } from "../../src/index.ts";
import { handler as webHandler } from "../../src/web/index.ts";
import { serve, until, type Client } from "../raw-http.ts";

vi.setConfig({ testTimeout: 30_000 });

function yogaOf() {
  const seen: Context[] = [];
  const signals: AbortSignal[] = [];
  const logged: unknown[] = [];
  const log = (...what: unknown[]) => void logged.push(...what);
  const forever = (_parent: unknown, _args: unknown, { ctx, request }: Resolving) => {
    seen.push(ctx);
    signals.push(request.signal);
    return sleep(ctx, Infinity);
  };
  const yoga = createYoga<{ ctx: Context }>({
    schema: createSchema<{ ctx: Context }>({
      typeDefs: `
        type Query { quick: String, a: String, b: String, own: String, stubborn: String, bug: String }
        type Subscription { ticks: Int }`,
      resolvers: {
        Query: {
          quick: (_parent, _args, { ctx }) => (seen.push(ctx), "quick"),
          a: forever,
          b: forever,
          own: (_parent, _args, { ctx }) => within(ctx, 5, (own) => sleep(own, Infinity)),
          stubborn: () => sleep(background(), 2_000),
          bug: () => {
            throw new Error("password=hunter2");
          },
        },
        Subscription: {
          ticks: {
            async *subscribe(_parent, _args, { ctx }) {
              seen.push(ctx);
              for (let n = 0; ; n++) {
                yield { ticks: n };
                await sleep(ctx, n < 2 ? 1 : Infinity);
              }
            },
          },
        },
      },
    }),
    logging: { debug() {}, info: log, warn: log, error: log },
    maskedErrors: {
      maskError(error, message) {
        if (!(error instanceof Error && "originalError" in error)) return maskError(error, message);
        const status = statusOf(error.originalError);
        if (status === 500) return maskError(error, message);
        const code = status === 504 ? "GATEWAY_TIMEOUT" : "SERVICE_UNAVAILABLE";
        return Object.assign(error, { message: code, extensions: { code } });
      },
    },
  });
  return { yoga, seen, signals, logged };
}
type Yoga = ReturnType<typeof yogaOf>["yoga"];
interface Resolving {
  ctx: Context;
  request: Request;
}

interface Setting {
  timeout?: number;
}

const onNode = (yoga: Yoga, setting: Setting): RequestListener =>
  handler((ctx, req, res) => yoga(req, res, { ctx }), { ...setting, deadline: true });

const asFetch = (yoga: Yoga, setting: Setting): RequestListener => {
  const listener = getRequestListener(
    webHandler((ctx, request) => yoga.fetch(request, { ctx }), setting),
  );
  return (req, res) => void listener(req, res);
};

async function start(make: typeof onNode, setting: Setting = {}) {
  const { yoga, ...told } = yogaOf();
  const server = await serve(make(yoga, setting));
  return {
    ...server,
    ...told,
    get cause(): unknown {
      return told.seen[0] && cause(told.seen[0]);
    },
    async [Symbol.asyncDispose]() {
      await until(() => told.seen.every((ctx) => ctx.err() !== undefined), "no context lives");
      await server[Symbol.asyncDispose]();
    },
  };
}

const ask = (client: Client, query: string): void =>
  client.get(`/graphql?query=${encodeURIComponent(query)}`);
const subscribe = (client: Client): void =>
  void client.socket.write(
    "GET /graphql?query=subscription{ticks} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n",
  );

describe.each([
  ["on Node", onNode],
  ["as fetch", asFetch],
])("GraphQL Yoga, %s", (_, make) => {
  test("the context ends as finished with the response, and the connection stays open", async () => {
    await using server = await start(make);
    const client = await server.client();
    for (const n of [1, 2]) {
      ask(client, "{quick}");
      expect(await client.answer(n)).toMatch(/ 200 OK/);
    }
    await until(() => client.received.endsWith('{"data":{"quick":"quick"}}'), "the body");
    await until(() => server.seen.every((ctx) => ctx.err() !== undefined));
    expect(server.seen.map(cause)).toEqual(Array(2).fill(expect.any(RequestFinished)));
  });

  for (const leave of ["FIN", "RST", "half-close"] as const) {
    test(`when the client leaves by ${leave}, all resolvers stop, and nothing is logged`, async () => {
      await using server = await start(make);
      const client = await server.client();
      ask(client, "{a b}");
      await until(() => server.seen.length === 2);
      client.leave(leave);
      await until(() => server.seen.every((ctx) => ctx.err() !== undefined));
      expect(server.cause).toBeInstanceOf(ClientDisconnected);
      await until(() => server.sockets.size === 0);
      expect(server.logged).toEqual([]);
    });

    test(`a subscription ends when its client leaves by ${leave}`, async () => {
      await using server = await start(make);
      const client = await server.client();
      subscribe(client);
      await until(() => client.received.includes('{"ticks":2}'), "some events");
      expect(server.seen[0]?.err()).toBeUndefined();
      client.leave(leave);
      await until(() => server.seen[0]?.err() !== undefined);
      expect(server.cause).toBeInstanceOf(ClientDisconnected);
      await until(() => server.sockets.size === 0);
      expect(server.logged).toEqual([]);
    });
  }

  test("when the timeout passes, no resolver's error is a bug, in the response or in the log", async () => {
    await using server = await start(make, { timeout: 100 });
    const client = await server.client();
    ask(client, "{a b}");
    // GraphQL's response or that of `handler`, whichever is first.
    expect(await client.answer()).toMatch(/ 503 |"code":"SERVICE_UNAVAILABLE"/);
    expect(server.cause).toBeInstanceOf(LocalTimeout);
    await new Promise((resolve) => setTimeout(resolve, 20)); // time for a false alarm
    expect(client.received).not.toContain("INTERNAL_SERVER_ERROR");
    expect(server.logged).toEqual([]);
  });

  test("for a resolver that ignores the timeout, a 503 is sent", async () => {
    await using server = await start(make, { timeout: 50 });
    const client = await server.client();
    ask(client, "{stubborn}");
    expect(await client.answer()).toMatch(/ 503 [^]*retry-after: 1\r\n/i);
  });

  test("when a resolver's own limit passes, the response has the results of the others", async () => {
    await using server = await start(make);
    const client = await server.client();
    ask(client, "{own quick}");
    await until(() => client.received.includes("}}"), "the body");
    expect(client.received).toMatch(/ 200 OK[^]*"code":"SERVICE_UNAVAILABLE"/);
    expect(client.received).toContain('"data":{"own":null,"quick":"quick"}');
    expect(server.logged).toEqual([]);
  });

  test("a resolver that fails is masked and logged by Yoga", async () => {
    await using server = await start(make);
    const client = await server.client();
    ask(client, "{bug quick}");
    await until(() => client.received.includes("INTERNAL_SERVER_ERROR"), "the body");
    expect(client.received).not.toContain("hunter2");
    expect(server.logged.map(String)).toEqual([expect.stringContaining("hunter2")]);
  });
});

test("GraphQL Yoga, on Node: the caller's deadline ends the request with 504", async () => {
  await using server = await start(onNode);
  const client = await server.client();
  const ask = (query: string, ms: number) =>
    client.socket.write(
      `GET /graphql?query=${query} HTTP/1.1\r\nHost: x\r\nx-request-timeout-ms: ${ms}\r\n\r\n`,
    );
  ask("{stubborn}", 50);
  ask("{quick}", 0);
  await client.answer(2);
  expect(client.statuses).toEqual([504, 504]);
  ask("{a}", 100);
  expect(await client.answer(3)).toMatch(/ 504 [^]* 504 [^]*( 504 |"code":"GATEWAY_TIMEOUT")/);
  expect(server.seen.map(cause)).toEqual([expect.any(RemoteDeadline)]);
});

test("GraphQL Yoga, over HTTP/2: the resolvers stop, although request.signal never aborts", async () => {
  const { yoga, seen, signals, logged } = yogaOf();
  const server = createHttp2Server(
    handler((ctx, req: Http2ServerRequest, res: Http2ServerResponse) => yoga(req, res, { ctx })),
  ).listen(0, "127.0.0.1");
  await once(server, "listening");
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const stream = session.request({ ":path": "/graphql?query={a,b}" });
  stream.on("error", () => {});
  await until(() => seen.length === 2);
  stream.close(8); // CANCEL
  await until(() => seen.every((ctx) => ctx.err() !== undefined));
  expect(seen.map(cause)).toEqual(Array(2).fill(expect.any(ClientDisconnected)));
  await new Promise((resolve) => setTimeout(resolve, 50)); // time for it to abort
  expect(signals.map((signal) => signal.aborted)).toEqual([false, false]);
  expect(logged).toEqual([]);
  session.destroy();
  server.close();
  await once(server, "close");
});
