/** The option `current` of `middleware`, and the ends of a continuing context. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { expect, test, vi } from "vitest";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { collected } from "../../../test/support.ts";
import { Client, serve, until } from "../../../test/raw-http.ts";
import { currentContext } from "../../current/index.ts";
import { cause, startWork, withCancel, background, type Context } from "../../index.ts";
import {
  ClientDisconnected,
  middleware,
  RequestFinished,
  requestContext,
  serve as serveWithShutdown,
} from "../index.ts";
import { checkCurrent } from "./current-option.ts";

vi.setConfig({ testTimeout: 30_000 });

type Options = Parameters<typeof middleware>[0];

/** A server whose middleware is `middleware(options)`, for each of these options in turn. */
async function start(
  chain: Options[],
  handle: (req: IncomingMessage, res: ServerResponse) => unknown,
) {
  const seen: { own: Context; current: Context | undefined }[] = [];
  const layers = chain.map((options) => middleware(options));
  const server = await serve((req, res) => {
    const next = (i: number): unknown => {
      const layer = layers[i];
      if (layer) return layer(req, res, () => next(i + 1));
      seen.push({ own: requestContext(req), current: currentContext() });
      return handle(req, res);
    };
    next(0);
  });
  const client = await server.client();
  return {
    client,
    seen,
    /** The contexts of the only request, once its handler runs. */
    async contexts() {
      await until(() => seen.length === 1);
      return seen[0]!;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

test("`current` of middleware: the request's own context for a GET, another for a POST", async () => {
  await using get = await start([{ current: true }], (_req, res) => res.end("ok"));
  get.client.get();
  const { own, current } = await get.contexts();
  expect(current).toBe(own);

  await using post = await start([{ current: true }], () => undefined);
  post.client.post("");
  const both = await post.contexts();
  post.client.leave("FIN");
  await until(() => both.own.err() !== undefined);
  expect(cause(both.own)).toBeInstanceOf(ClientDisconnected);
  expect(both.current?.err()).toBeUndefined();
});

test("after its client has left, a POST's context ends when the handler ends the response", async () => {
  let respond: () => void = () => undefined;
  await using server = await start([{ current: true }], (_req, res) => {
    respond = () => res.end("written");
  });
  server.client.post("");
  const { own, current } = await server.contexts();
  server.client.leave("FIN");
  await until(() => own.err() !== undefined);
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(current?.err()).toBeUndefined();
  respond();
  await until(() => current?.err() !== undefined);
  expect(cause(current!)).toBeInstanceOf(RequestFinished);
});

test("work in progress keeps the context of a POST from ending with the response", async () => {
  let after: Context | undefined;
  let end: () => void = () => undefined;
  await using server = await start([{ current: true }], (_req, res) => {
    const work = startWork(currentContext()!, "test.step");
    end = () => work.end();
    setTimeout(() => (after = currentContext()), 200);
    res.end("accepted");
  });
  server.client.post("");
  const { own, current } = await server.contexts();
  await until(() => own.err() !== undefined);
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(current?.err()).toBeUndefined();
  end();
  await until(() => current?.err() !== undefined);
  expect(cause(current!)).toBeInstanceOf(RequestFinished);
  await until(() => after !== undefined);
  expect(after?.err()).toBeUndefined();
});

test("the parent of an outer middleware ends the continuing context of an inner one", async () => {
  using parent = withCancel(background());
  await using server = await start([{ parent }, { current: true }], () => undefined);
  server.client.post("");
  const { own, current } = await server.contexts();
  server.client.leave("FIN");
  await until(() => own.err() !== undefined);
  expect(current?.err()).toBeUndefined();
  const reason = new Error("maintenance");
  parent.cancel(reason);
  expect(cause(current!)).toBe(reason);
});

test("a POST whose handler gives up without a response is forgotten, and no shutdown waits for it", async () => {
  const apply = middleware({ current: true });
  const seen: WeakRef<Context>[] = [];
  let resume: () => void = () => undefined;
  let stillLive: Context | undefined;
  const server = createServer((req, res) =>
    apply(req, res, async () => {
      seen.push(new WeakRef(currentContext()!));
      if (req.url === "/given-up") return;
      await new Promise<void>((resolve) => (resume = resolve));
      stillLive = currentContext();
      res.end();
    }),
  );
  const serving = serveWithShutdown(server, { signals: [], gracePeriod: 20_000 });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const post = async (path: string) => {
    const client = new Client(connect(port, "127.0.0.1"));
    const count = seen.length;
    client.socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`);
    await until(() => seen.length > count);
    client.leave("RST");
  };
  await post("/waits");
  for (let i = 0; i < 20; i++) await post("/given-up");
  // The parser of a connection remembers its last request for a while.
  const kept = () => seen.slice(1).filter((ref) => ref.deref()).length;
  expect(await collected(() => kept() < 3)).toBe(true);
  expect(seen[0]?.deref()?.err()).toBeUndefined();
  resume();
  await until(() => stillLive !== undefined);
  expect(await collected(() => kept() === 0)).toBe(true);
  expect((await serving.close()).canceled).toBe(0);
});

test("a continuing context has the deadline of an outer middleware, which does not start anew", async () => {
  const outer = middleware({ timeout: 60_000 });
  const inner = middleware({ current: true });
  const deadlines: (number | undefined)[] = [];
  await using server = await serve((req, res) => {
    outer(req, res, () =>
      setTimeout(() => {
        inner(req, res, () => {
          for (const ctx of [requestContext(req), currentContext()])
            deadlines.push(ctx?.deadline()?.getTime());
          res.end("ok");
        });
      }, 100),
    );
  });
  const client = await server.client();
  client.post("");
  await client.answer();
  const [own = NaN, current = NaN] = deadlines;
  expect(Math.abs(own - current)).toBeLessThan(20);
});

test('only true, false and "all" are values of `current`', () => {
  for (const value of [undefined, true, false, "all"]) checkCurrent(value);
  for (const [value, shown] of [
    ["GET", 'the string "GET"'],
    [1, "number 1"],
    [null, "null"],
  ]) {
    expect(() => checkCurrent(value)).toThrow(`current takes true, "all" or false, got ${shown}`);
  }
});
