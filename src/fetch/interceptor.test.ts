/**
 * undici's dispatchers. The tests use the one inside Node. docs/fetch.md lists the versions of undici
 * with which the interceptor was tried.
 */
import { describe, expect, test } from "vitest";
import { turn } from "../../test/support.ts";
import { until } from "../../test/support/wait.ts";
import { serve } from "../../test/support/web.ts";
import { scopeOf } from "../core/foreign.ts";
import { isWatched } from "../core/tree.ts";
import {
  background,
  isDeadlineExceeded,
  key,
  stopped,
  withCancel,
  withLedger,
  withTimeout,
  withValue,
  working,
  type Context,
} from "../index.ts";
import { BudgetTooSmallError, contextInterceptor, type OutgoingOptions } from "./index.ts";

type Dispatcher = NonNullable<RequestInit["dispatcher"]>;

const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "fulfilled",
    (error: unknown) => error,
  );

/** Returns an error and its chain of causes. */
function causes(error: unknown): unknown[] {
  return error instanceof Error ? [error, ...causes(error.cause)] : [];
}

/** Returns Node's own agent, which exists after the first fetch. */
async function agent(): Promise<Dispatcher> {
  await fetch("data:,");
  const names = ["undici.globalDispatcher.2", "undici.globalDispatcher.1"];
  const globals = globalThis as unknown as Record<symbol, Dispatcher | undefined>;
  return names.map((name) => globals[Symbol.for(name)]).find((found) => found !== undefined)!;
}

/** Returns the init of a request with `ctx`. */
async function initWith(
  ctx: Context,
  options?: OutgoingOptions,
): Promise<{ dispatcher: Dispatcher }> {
  return { dispatcher: (await agent()).compose(contextInterceptor(ctx, options)) };
}

const TraceParent = key<string>("traceparent");

describe("a dispatcher composed with contextInterceptor", () => {
  test("stops the request when ctx ends, and ctx.err() is among the causes of the error of fetch", async () => {
    await using web = await serve(() => undefined);
    const ctx = withCancel(withLedger(background()));
    const waiting = rejection(fetch(`${web.url}/a?b`, await initWith(ctx)));
    await until(() => web.seen.length === 1);
    expect(working(ctx)).toMatchObject([{ kind: "undici.request", what: `GET ${web.url}/a` }]);
    ctx.cancel();
    expect(causes(await waiting)).toContain(ctx.err());
    await until(() => web.seen[0]!.gone);
    expect(await stopped(ctx)).toMatchObject([{ kind: "undici.request", state: "abandoned" }]);
  });

  test("stops the body when ctx ends", async () => {
    await using web = await serve((res) => res.write("half"));
    const ctx = withCancel(withLedger(background()));
    const response = await fetch(web.url, await initWith(ctx));
    const reading = rejection(response.text());
    ctx.cancel();
    expect(causes(await reading)).toContain(ctx.err());
    await until(() => web.seen[0]!.gone);
    expect(working(ctx)).toEqual([]);
  });

  test("sends nothing if ctx is done or has too little time", async () => {
    await using web = await serve((res) => res.end());
    const done = withCancel(background());
    done.cancel();
    expect(causes(await rejection(fetch(web.url, await initWith(done))))).toContain(done.err());
    using short = withTimeout(background(), 1_000);
    const error = await rejection(fetch(web.url, await initWith(short, { minimum: 5_000 })));
    expect(causes(error).some((cause) => cause instanceof BudgetTooSmallError)).toBe(true);
    expect(isDeadlineExceeded(error)).toBe(true);
    expect(web.connections).toBe(0);
  });

  test("leaves nothing on ctx after the response, and uses the connections of the agent", async () => {
    await using web = await serve((res) => res.end("ok"));
    const ctx = withCancel(withLedger(background()));
    for (let i = 0; i < 5; i++) {
      expect(await (await fetch(web.url, await initWith(ctx))).text()).toBe("ok");
      await turn();
    }
    expect([working(ctx), isWatched(scopeOf(ctx)!), web.connections]).toEqual([[], false, 1]);
    expect(await rejection(fetch("http://127.0.0.1:1/", await initWith(ctx)))).toBeInstanceOf(
      TypeError,
    );
    expect([working(ctx), isWatched(scopeOf(ctx)!)]).toEqual([[], false]);
  });

  test("sends the deadline and the values to trusted hosts only, on each hop of a redirect", async () => {
    await using untrusted = await serve((res) => res.end("ok"));
    await using web = await serve((res, req) => {
      res.writeHead(302, { location: req.url === "/" ? "/next" : untrusted.url }).end();
    });
    using timed = withTimeout(background(), 60_000);
    const ctx = withValue(timed, TraceParent, "00-1-2-01");
    const options: OutgoingOptions = {
      trusted: [web.host],
      values: [[TraceParent, "traceparent"]],
    };
    const headers = { "x-mine": "1", "X-Request-Timeout-Ms": "90000" };
    await (await fetch(web.url, { headers, ...(await initWith(ctx, options)) })).text();
    expect(web.seen).toHaveLength(2);
    for (const { req } of web.seen) {
      expect(req.headers).toMatchObject({ "x-mine": "1", traceparent: "00-1-2-01" });
      expect(Number(req.headers["x-request-timeout-ms"])).toBeLessThan(60_000);
    }
    // An untrusted host gets the caller's own header as it was written.
    const { headers: there } = untrusted.seen[0]!.req;
    expect(there).toMatchObject({ "x-mine": "1", "x-request-timeout-ms": "90000" });
    expect(there).not.toHaveProperty("traceparent");
  });
});

/**
 * Returns a dispatcher that records its arguments and sends nothing. With it a test can observe the
 * wait for a connection and pass any form of headers.
 */
function recordingDispatcher() {
  const recorded: {
    options: { headers: unknown };
    handler: Record<string, (...args: unknown[]) => unknown>;
  }[] = [];
  const dispatch = (options: never, handler: never): boolean => {
    recorded.push({ options, handler });
    return true;
  };
  return { recorded, dispatch };
}

describe.each([
  ["onConnect", "onError", "onComplete"],
  ["onRequestStart", "onResponseError", "onResponseEnd"],
])("with a handler that has %s", (begin, fail, complete) => {
  const handlerOf = () => {
    const calls: unknown[][] = [];
    const names = [begin, fail, complete, "onHeaders"];
    const methods = names.map((name) => [
      name,
      (...args: unknown[]) => calls.push([name, ...args]),
    ]);
    return { calls, handler: Object.fromEntries(methods) as never };
  };
  const starter = (abort: (reason: unknown) => void) => (begin === "onConnect" ? abort : { abort });

  test("the wait for a connection ends with ctx, and a connection that arrives late is not used", async () => {
    const { recorded, dispatch } = recordingDispatcher();
    const { calls, handler } = handlerOf();
    const ctx = withCancel(withLedger(background()));
    contextInterceptor(ctx)(dispatch)({ origin: "http://x", path: "/" } as never, handler);
    ctx.cancel();
    await turn();
    expect(calls.map(([name, ...args]) => [name, args.at(-1)])).toEqual([[fail, ctx.err()]]);
    const aborted: unknown[] = [];
    recorded[0]!.handler[begin]!(starter((reason) => aborted.push(reason)));
    recorded[0]!.handler[fail]!(new Error("aborted"));
    expect(aborted).toEqual([ctx.err()]);
    expect(calls).toHaveLength(1);
    expect(await stopped(ctx)).toMatchObject([{ state: "stopped" }]);
  });

  test("an end of ctx after the response aborts nothing", async () => {
    const { recorded, dispatch } = recordingDispatcher();
    const { handler } = handlerOf();
    const ctx = withCancel(background());
    contextInterceptor(ctx)(dispatch)({ origin: "http://x", path: "/" } as never, handler);
    const aborted: unknown[] = [];
    recorded[0]!.handler[begin]!(starter((reason) => aborted.push(reason)));
    recorded[0]!.handler[complete]!();
    ctx.cancel();
    await turn();
    expect(aborted).toEqual([]);
  });
});

test.each<[string, unknown]>([
  ["a flat list", ["A", "1", "X-Request-Timeout-Ms", "9000"]],
  [
    "pairs",
    new Headers([
      ["A", "1"],
      ["X-Request-Timeout-Ms", "9000"],
    ]),
  ],
  ["an object", { A: "1", "X-Request-Timeout-Ms": "9000" }],
  ["missing", undefined],
])("the deadline header is added to headers that are %s", (_, headers) => {
  const { recorded, dispatch } = recordingDispatcher();
  using ctx = withTimeout(background(), 1_000);
  const compose = contextInterceptor(ctx, { trusted: ["x"] });
  compose(dispatch)({ origin: "http://x", path: "/", headers } as never, {} as never);
  const flat = recorded[0]!.options.headers as string[];
  const sent = Object.fromEntries(
    flat.flatMap((name, i) => (i % 2 ? [] : [[name.toLowerCase(), flat[i + 1]]])) as [
      string,
      string,
    ][],
  );
  expect(Number(sent["x-request-timeout-ms"])).toBeLessThan(1_000);
  expect(sent["a"]).toBe(headers === undefined ? undefined : "1");
});

test("no header is added if the dispatcher follows redirects itself", () => {
  const { recorded, dispatch } = recordingDispatcher();
  using ctx = withTimeout(background(), 1_000);
  const options = { origin: "http://x", path: "/", maxRedirections: 3, headers: { a: "1" } };
  contextInterceptor(ctx, { trusted: ["x"] })(dispatch)(options as never, {} as never);
  expect(recorded[0]!.options.headers).toBe(options.headers);
});
