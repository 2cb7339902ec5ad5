/** The statements of docs/trpc.md, over real sockets, with tRPC's own client. */
import type { RequestListener } from "node:http";
import { getRequestListener } from "@hono/node-server";
import {
  createTRPCClient,
  httpBatchLink,
  httpBatchStreamLink,
  httpLink,
  TRPCClientError,
} from "@trpc/client";
import { initTRPC, TRPCError } from "@trpc/server";
import { createExpressMiddleware } from "@trpc/server/adapters/express";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { createHTTPHandler } from "@trpc/server/adapters/standalone";
import express from "express";
import { describe, expect, test, vi } from "vitest";
import { contexts } from "../../src/express/index.ts";
import { wrapFetch } from "../../src/fetch/index.ts";
import {
  ClientDisconnected,
  LocalTimeout,
  RemoteDeadline,
  requestContext,
  RequestFinished,
  Shutdown,
  statusOf,
} from "../../src/http/index.ts";
import {
  background,
  cause,
  isCanceled,
  isDeadlineExceeded,
  sleep,
  withCancel,
  within,
  withTimeout,
  type Context,
} from "../../src/index.ts";
import { handler as webHandler } from "../../src/web/index.ts";
import { serve, until } from "../raw-http.ts";

vi.setConfig({ testTimeout: 30_000 });

const t = initTRPC.context<{ ctx: Context }>().create();
const CODES: Record<number, TRPCError["code"]> = {
  499: "CLIENT_CLOSED_REQUEST",
  503: "SERVICE_UNAVAILABLE",
  504: "GATEWAY_TIMEOUT",
};

/** A router whose procedures record their contexts. */
function routerOf(seen: Context[]) {
  const procedure = t.procedure
    .use(async ({ ctx: { ctx }, next }) => {
      const result = await next();
      if (result.ok) return result;
      const cause = ctx.err() ?? result.error;
      const code = CODES[statusOf(cause)];
      if (code !== undefined) throw new TRPCError({ code, cause });
      return result;
    })
    .use(({ ctx: { ctx }, next }) => {
      seen.push(ctx);
      return next();
    });
  return t.router({
    quick: procedure.query(() => "quick"),
    slow: procedure.query(({ ctx: { ctx } }) => sleep(ctx, Infinity)),
    write: procedure.mutation(({ ctx: { ctx } }) => sleep(ctx, Infinity)),
    late: procedure.query(async () => {
      await sleep(background(), 1_000);
      return "late";
    }),
    own: procedure.query(({ ctx: { ctx } }) => within(ctx, 5, (own) => sleep(own, Infinity))),
    bug: procedure.query(() => {
      throw new Error("a bug");
    }),
    ticks: procedure.subscription(async function* ({ ctx: { ctx } }) {
      for (let n = 0; ; n++) {
        yield n;
        await sleep(ctx, n < 2 ? 1 : Infinity);
      }
    }),
  });
}
type AppRouter = ReturnType<typeof routerOf>;

interface Setting {
  timeout?: number;
  parent?: Context;
}
interface Api {
  router: AppRouter;
  onError: (failure: { error: TRPCError }) => void;
}

const standalone = (api: Api, setting: Setting): RequestListener =>
  createHTTPHandler({
    ...api,
    basePath: "/trpc/",
    createContext: ({ req }) => ({ ctx: requestContext(req, { ...setting, deadline: true }) }),
  });

const onExpress = (api: Api, setting: Setting): RequestListener => {
  const app = express();
  app.use(contexts({ ...setting, deadline: true }));
  const createContext = ({ req }: { req: express.Request }) => ({ ctx: req.ctx });
  app.use("/trpc", createExpressMiddleware({ ...api, createContext }));
  return app;
};

const asFetch = (api: Api, setting: Setting): RequestListener => {
  const listener = getRequestListener(
    webHandler(
      (ctx, req) =>
        fetchRequestHandler({ ...api, endpoint: "/trpc", req, createContext: () => ({ ctx }) }),
      setting,
    ),
  );
  return (req, res) => void listener(req, res);
};

async function start(make: typeof standalone, setting: Setting = {}) {
  const seen: Context[] = [];
  const codes: string[] = [];
  const onError: Api["onError"] = ({ error }) => codes.push(error.code);
  const listener = make({ router: routerOf(seen), onError }, setting);
  let requests = 0;
  const server = await serve((req, res) => {
    requests++;
    listener(req, res);
  });
  const { socket } = await server.client();
  const url = `http://127.0.0.1:${socket.remotePort}/trpc`;
  socket.destroy();
  return {
    ...server,
    seen,
    codes,
    get requests() {
      return requests;
    },
    url,
    get cause(): unknown {
      return seen[0] && cause(seen[0]);
    },
    async [Symbol.asyncDispose]() {
      await until(() => seen.every((ctx) => ctx.err() !== undefined), "no context lives");
      await server[Symbol.asyncDispose]();
    },
  };
}

const tell = wrapFetch({ trusted: ["127.0.0.1"], margin: 1_000 });
const api = (ctx: Context, url: string, fetch = tell) =>
  createTRPCClient<AppRouter>({
    links: [httpLink({ url, fetch: (input, init) => fetch(ctx, input, init) })],
  });
const batching = (url: string) => createTRPCClient<AppRouter>({ links: [httpBatchLink({ url })] });

async function failure(call: Promise<unknown>): Promise<TRPCClientError<AppRouter>> {
  const error: unknown = await call.then(
    () => "succeeded",
    (error: unknown) => error,
  );
  if (error instanceof TRPCClientError) return error;
  throw new Error(`no TRPCClientError: ${String(error)}`);
}

describe.each([
  ["standalone", standalone],
  ["on Express", onExpress],
  ["as fetch", asFetch],
])("tRPC, %s", (_, make) => {
  test("the context ends as finished when the response is sent", async () => {
    await using server = await start(make);
    const client = api(background(), server.url);
    expect(await client.quick.query()).toBe("quick");
    expect(await client.quick.query()).toBe("quick");
    await until(() => server.seen.every((ctx) => ctx.err() !== undefined));
    expect(server.seen.map(cause)).toEqual(Array(2).fill(expect.any(RequestFinished)));
    expect(server.codes).toEqual([]);
  });

  for (const leave of ["FIN", "RST", "half-close"] as const) {
    test(`when the client leaves by ${leave}, the procedure stops with CLIENT_CLOSED_REQUEST`, async () => {
      await using server = await start(make);
      const client = await server.client();
      client.get("/trpc/slow");
      await until(() => server.seen.length === 1);
      client.leave(leave);
      await until(() => server.seen[0]?.err() !== undefined);
      expect(server.cause).toBeInstanceOf(ClientDisconnected);
      await until(() => server.codes.length === 1);
      expect(server.codes).toEqual(["CLIENT_CLOSED_REQUEST"]);
    });

    test(`an event stream ends when its client leaves by ${leave}`, async () => {
      await using server = await start(make);
      const client = await server.client();
      client.get("/trpc/ticks");
      await until(() => client.received.includes("data: 2\n"), "some events");
      expect(server.seen[0]?.err()).toBeUndefined();
      client.leave(leave);
      await until(() => server.seen[0]?.err() !== undefined);
      expect(server.cause).toBeInstanceOf(ClientDisconnected);
      await until(() => server.sockets.size === 0);
      expect(server.codes).toEqual([]);
    });
  }

  test("when tRPC's client aborts a query and a mutation, both procedures stop", async () => {
    await using server = await start(make);
    const user = withCancel(background());
    const client = api(user, server.url);
    const calls = [failure(client.slow.query()), failure(client.write.mutate())];
    await until(() => server.seen.length === 2);
    user.cancel();
    expect((await Promise.all(calls)).map(isCanceled)).toEqual([true, true]);
    await until(() => server.seen.every((ctx) => ctx.err() !== undefined));
    expect(server.seen.map(cause)).toEqual(Array(2).fill(expect.any(ClientDisconnected)));
  });

  test("when the caller's own deadline passes, its call rejects with that, and the procedure stops", async () => {
    await using server = await start(make);
    using ctx = withTimeout(background(), 300);
    const error = await failure(api(ctx, server.url, wrapFetch()).slow.query());
    expect(isDeadlineExceeded(error)).toBe(true);
    await until(() => server.seen[0]?.err() !== undefined);
    expect(server.cause).toBeInstanceOf(ClientDisconnected);
  });

  test("when the timeout passes, the response is a 503 and the code SERVICE_UNAVAILABLE", async () => {
    await using server = await start(make, { timeout: 300 });
    const client = await server.client();
    client.get("/trpc/slow");
    expect(await client.answer()).toMatch(/ 503 /);
    expect(server.cause).toBeInstanceOf(LocalTimeout);
    await until(() => server.codes.length === 1);
    expect(server.codes).toEqual(["SERVICE_UNAVAILABLE"]);
  });

  test("when a limit of the procedure's own passes, the response is a 503", async () => {
    await using server = await start(make);
    const error = await failure(api(background(), server.url).own.query());
    expect(error.data).toMatchObject({ code: "SERVICE_UNAVAILABLE", httpStatus: 503 });
  });

  test("a procedure that fails is answered with tRPC's own 500", async () => {
    await using server = await start(make);
    const error = await failure(api(background(), server.url).bug.query());
    expect(error.data).toMatchObject({ code: "INTERNAL_SERVER_ERROR", httpStatus: 500 });
    expect(server.codes).toEqual(["INTERNAL_SERVER_ERROR"]);
  });

  test("the calls of a batch share one request and one context", async () => {
    await using server = await start(make);
    const client = batching(server.url);
    expect(await Promise.all([client.quick.query(), client.quick.query()])).toEqual([
      "quick",
      "quick",
    ]);
    expect([server.requests, new Set(server.seen).size]).toEqual([1, 1]);
  });

  test("aborting one call of a batch stops nothing, and aborting all of them stops the request", async () => {
    await using server = await start(make);
    const client = batching(server.url);
    const users = [new AbortController(), new AbortController()];
    const calls = users.map(({ signal }) => failure(client.slow.query(undefined, { signal })));
    await until(() => server.seen.length === 2);
    users[0]?.abort();
    await new Promise((resolve) => setTimeout(resolve, 50)); // time for a false alarm
    expect(server.seen.map((ctx) => ctx.err())).toEqual([undefined, undefined]);
    users[1]?.abort();
    await Promise.all(calls);
    await until(() => server.seen[0]?.err() !== undefined);
    expect(server.cause).toBeInstanceOf(ClientDisconnected);
  });

  test("the context of a streamed batch lasts until its last call has ended", async () => {
    await using server = await start(make);
    const client = createTRPCClient<AppRouter>({
      links: [httpBatchStreamLink({ url: server.url })],
    });
    const late = client.late.query();
    expect(await client.quick.query()).toBe("quick");
    expect(server.seen[0]?.err()).toBeUndefined();
    expect(await late).toBe("late");
    await until(() => server.seen[0]?.err() !== undefined);
    expect(server.cause).toBeInstanceOf(RequestFinished);
  });

  test("a shutdown ends an event stream without an error event", async () => {
    const parent = withCancel(background());
    await using server = await start(make, { parent });
    const client = await server.client();
    client.get("/trpc/ticks");
    await until(() => client.received.includes("data: 2\n"), "some events");
    parent.cancel(new Shutdown());
    await until(() => client.received.endsWith("0\r\n\r\n"), "the end");
    expect(client.received).not.toMatch(/event: (return|serialized-error)/);
    expect(server.codes).toEqual([]);
  });
});

test.each([
  ["standalone", standalone],
  ["on Express", onExpress],
])(
  "tRPC, %s: the caller's deadline ends the procedure with 504, in time for the caller",
  async (_, make) => {
    await using server = await start(make);
    using ctx = withTimeout(background(), 2_000);
    const error = await failure(api(ctx, server.url).slow.query());
    expect(error.data).toMatchObject({ code: "GATEWAY_TIMEOUT", httpStatus: 504 });
    expect(server.cause).toBeInstanceOf(RemoteDeadline);
  },
);

test.each([
  ["on Express", onExpress],
  ["as fetch", asFetch],
])("tRPC, %s: for a procedure that ignores the limit, a 503 is sent", async (_, make) => {
  await using server = await start(make, { timeout: 50 });
  const client = await server.client();
  client.get("/trpc/late");
  expect(await client.answer()).toMatch(/ 503 [^]*Service Unavailable/);
});
