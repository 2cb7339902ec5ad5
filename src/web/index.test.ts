import { getRequestListener } from "@hono/node-server";
import { describe, expect, expectTypeOf, test, vi } from "vitest";
import { serve } from "../../test/raw-http.ts";
import { collected } from "../../test/support.ts";
import { frameworkSuite } from "../../test/support/framework-suite.ts";
import { fetchHandlers } from "../../test/support/frameworks/web.ts";
import { ClientDisconnected, RequestFinished } from "../http/index.ts";
import { background, cause, sleep, withCancel, withTimeout, type Context } from "../index.ts";
import { handler } from "./index.ts";

vi.setConfig({ testTimeout: 30_000 });

frameworkSuite(fetchHandlers);

describe("a fetch handler without a server", () => {
  const url = "http://localhost/";
  let ctx: Context = background();
  const answering = (make: () => Response) =>
    handler((own) => {
      ctx = own;
      return make();
    });
  const pausing = () =>
    new ReadableStream<Uint8Array>({
      async pull(out) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        out.enqueue(new Uint8Array(3));
      },
    });
  const locked = () => {
    const response = new Response(pausing());
    response.body?.getReader();
    return response;
  };

  test("passes other parameters on, such as Next's params, and their types are inferred", async () => {
    const GET = handler(async (own, request, { params }: { params: Promise<{ id: string }> }) => {
      expectTypeOf(request).toEqualTypeOf<Request>();
      expectTypeOf(own).toEqualTypeOf<Context>();
      return new Response((await params).id);
    });
    const answer = await GET(new Request(url), { params: Promise.resolve({ id: "7" }) });
    expect(await answer.text()).toBe("7");
  });

  test('with "continue", a handler that never settles is forgotten after its client has left', async () => {
    const parent = withCancel(background());
    const client = new AbortController();
    let seen: WeakRef<Context> | undefined;
    const GET = handler(
      (own) => {
        seen = new WeakRef(own);
        return new Promise<Response>(() => undefined);
      },
      { parent, onDisconnect: "continue" },
    );
    void GET(new Request(url, { signal: client.signal }));
    client.abort();
    expect(await collected(() => seen?.deref() === undefined)).toBe(true);
    parent.cancel();
  });

  test("ignores an abort after the response is complete, such as Deno's", async () => {
    for (const body of [null, "whole"]) {
      const platform = new AbortController();
      await answering(() => new Response(body))(new Request(url, { signal: platform.signal }));
      platform.abort();
      expect(cause(ctx)).toBeInstanceOf(RequestFinished);
    }
  });

  test("passes on a body that is there at once as a whole, with its headers", async () => {
    const headers = new Headers({ "x-a": "1" });
    headers.append("set-cookie", "a=1");
    headers.append("set-cookie", "b=2");
    const answer = await answering(() => Response.json({ a: 1 }, { status: 201, headers }))(
      new Request(url),
    );
    expect(answer.status).toBe(201);
    expect(answer.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(await answer.json()).toEqual({ a: 1 });
    const listener = getRequestListener(answering(() => new Response("whole")));
    await using server = await serve((req, res) => void listener(req, res));
    const client = await server.client();
    client.get();
    expect(await client.answer()).toMatch(/content-length: 5\r\n/i);
  });

  test("ends its context as disconnected when the reader of the body cancels it", async () => {
    const answer = await answering(() => new Response(pausing()))(new Request(url));
    expect(ctx.err()).toBeUndefined();
    await answer.body?.cancel();
    expect(cause(ctx)).toBeInstanceOf(ClientDisconnected);
  });

  test("ends its context with the error of a body that fails as the cause", async () => {
    const bug = new Error("row 7");
    const failing = new ReadableStream<Uint8Array>({
      async pull() {
        await new Promise((resolve) => setTimeout(resolve, 5));
        throw bug;
      },
    });
    const answer = await answering(() => new Response(failing))(new Request(url));
    await expect(answer.text()).rejects.toBe(bug);
    expect(cause(ctx)).toBe(bug);
  });

  test("throws a bug to the platform, and its context has ended", async () => {
    const bug = new Error("a bug");
    const fetch = answering(() => {
      throw bug;
    });
    await expect(fetch(new Request(url))).rejects.toBe(bug);
    expect(ctx.err()).toBeDefined();
  });

  test("reads the caller's deadline from the headers of the Request, which `trust` is called with", async () => {
    const deadline = { trust: (request: Request) => request.headers.get("x-ours") === "yes" };
    const wait = handler((own) => sleep(own, Infinity) as Promise<never>, {
      ...{ timeout: 60, deadline },
    });
    const from = (headers: Record<string, string>) =>
      wait(new Request(url, { headers: { "X-Request-Timeout-Ms": "20", ...headers } }));
    expect((await from({})).status).toBe(503);
    expect((await from({ "x-ours": "yes" })).status).toBe(504);
    const strict = handler(() => new Response("ran"), { deadline: { strict: true } });
    const headers = new Headers({ "x-request-timeout-ms": "20" });
    headers.append("x-request-timeout-ms", "20"); // which comes out as one text
    expect((await strict(new Request(url, { headers }))).status).toBe(400);
  });

  test("drops a response that is returned after the timeout, and cancels its body", async () => {
    let canceled = false;
    const body = new ReadableStream({ cancel: () => void (canceled = true) });
    const late = handler(
      async () => {
        await sleep(background(), 50);
        return new Response(body);
      },
      { timeout: 5 },
    );
    const answer = await late(new Request(url));
    expect(answer.status).toBe(503);
    expect(answer.headers.get("retry-after")).toBe("1");
    await vi.waitUntil(() => canceled);
  });

  test.each<[string, () => unknown]>([
    ["returns nothing", () => undefined],
    ["returns no response", () => 7],
    ["returns a response whose body is in use", () => locked()],
    ["throws", () => Promise.reject(new Error("a late bug"))],
  ])("answers in place of a function that %s after the timeout, and goes on", async (_, end) => {
    const rejected: unknown[] = [];
    const note = (error: unknown) => rejected.push(error);
    process.on("unhandledRejection", note);
    try {
      const late = handler(async () => (await sleep(background(), 30), end() as Response), {
        timeout: 5,
      });
      expect((await late(new Request(url))).status).toBe(503);
      await new Promise((resolve) => setTimeout(resolve, 60));
      expect(rejected).toEqual([]);
    } finally {
      process.off("unhandledRejection", note);
    }
  });

  test("does not call its function if the request was aborted before or the parent has ended", async () => {
    let ran = false;
    const run = () => ((ran = true), new Response());
    const gone = new Request(url, { signal: AbortSignal.abort() });
    expect((await handler(run)(gone)).status).toBe(499);
    const parent = withTimeout(background(), 0);
    expect((await handler(run, { parent })(new Request(url))).status).toBe(503);
    expect(ran).toBe(false);
  });

  test("refuses a value that is no function, and says where a driver goes", () => {
    expect(() => handler("x" as never)).toThrow(
      /got the string "x"; write handler\(\(ctx, request/,
    );
    expect(() => handler({ query() {}, connect() {} } as never)).toThrow(/"eightysix\/pg"/);
  });
});
