/** What ends a request, what it rejects with, and until when the context counts. */
import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { turn } from "../../test/support.ts";
import { until } from "../../test/support/wait.ts";
import { serve } from "../../test/support/web.ts";
import { scopeOf } from "../core/foreign.ts";
import { isWatched } from "../core/tree.ts";
import {
  background,
  stopped,
  withCancel,
  withLedger,
  withTimeout,
  working,
  type Context,
} from "../index.ts";
import { fetch, wrapFetch } from "./index.ts";

const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "fulfilled",
    (error: unknown) => error,
  );
const never = (): void => undefined;
/** Answers when all of the request is there. */
const whole: Parameters<typeof serve>[0] = (res, req) => req.on("end", () => res.end("ok"));
const watched = (ctx: Context): boolean => isWatched(scopeOf(ctx)!);
const live = (ctx: Context): string[] => working(ctx).map(({ kind, what }) => `${kind} ${what}`);

describe("before the response", () => {
  test("the server sees the request aborted, and the caller gets the very ctx.err()", async () => {
    await using web = await serve(never);
    const ctx = withCancel(withLedger(background()));
    const waiting = rejection(fetch(ctx, `${web.url}/slow?secret=1`));
    await until(() => web.seen.length === 1);
    expect(live(ctx)).toEqual([`fetch GET ${web.url}/slow`]);
    ctx.cancel("why");
    expect(await waiting).toBe(ctx.err());
    await until(() => web.seen[0]!.gone);
    expect(await stopped(ctx)).toMatchObject([
      { kind: "fetch", what: `GET ${web.url}/slow`, state: "abandoned", reason: "canceled" },
    ]);
  });

  test("a deadline does the same", async () => {
    await using web = await serve(never);
    using ctx = withTimeout(background(), 50);
    expect(await rejection(fetch(ctx, web.url))).toBe(ctx.err());
    expect(ctx.err()?.name).toBe("TimeoutError");
    await until(() => web.seen.every(({ gone }) => gone));
  });

  test("while it connects", async () => {
    await using web = await serve(never);
    const ctx = withCancel(background());
    const waiting = rejection(fetch(ctx, web.url));
    ctx.cancel();
    expect(await waiting).toBe(ctx.err());
    await until(() => web.seen.every(({ gone }) => gone));
  });

  test("if ctx is done already, nothing is sent", async () => {
    await using web = await serve((res) => res.end());
    const ctx = withCancel(withLedger(background()));
    ctx.cancel();
    expect(await rejection(fetch(ctx, web.url))).toBe(ctx.err());
    await turn();
    expect(web.connections).toBe(0);
    expect(await stopped(ctx)).toEqual([]);
  });

  test("the platform's own errors pass untouched", async () => {
    const ctx = withCancel(withLedger(background()));
    const error = await rejection(fetch(ctx, "http://127.0.0.1:1/"));
    expect(error).toMatchObject({ name: "TypeError", message: expect.any(String) as string });
    expect(await rejection(fetch(ctx, "nonsense"))).toBeInstanceOf(TypeError);
    expect([watched(ctx), live(ctx)]).toEqual([false, []]);
  });

  test("even if ctx ends while they are on their way", async () => {
    const ctx = withCancel(background());
    const own = new Error("refused");
    const slow = wrapFetch({
      fetch: (_: string) => {
        ctx.cancel();
        return Promise.reject(own);
      },
    });
    expect(await rejection(slow(ctx, "http://x/"))).toBe(own);
  });

  test("a response that beat the end is returned", async () => {
    const ctx = withCancel(background());
    const eager = wrapFetch({
      fetch: (_: string) => {
        ctx.cancel();
        return Promise.resolve(new Response(null, { status: 204 }));
      },
    });
    expect((await eager(ctx, "http://x/")).status).toBe(204);
  });

  test("a fetch that does not heed its signal is not waited for beyond the grace", async () => {
    const ctx = withCancel(background());
    let canceled = false;
    const body = new ReadableStream({ cancel: () => void (canceled = true) });
    let answer: (response: Response) => void = never;
    const deaf = wrapFetch({
      fetch: (_: string) => new Promise<Response>((resolve) => (answer = resolve)),
    });
    const waiting = rejection(deaf(ctx, "http://x/"));
    ctx.cancel();
    expect(await waiting).toBe(ctx.err());
    answer(new Response(body));
    await until(() => canceled);
  });
});

describe("the body", () => {
  const half = (): Parameters<typeof serve>[0] => (res) => {
    res.write("half");
  };

  test.each<[string, (response: Response) => Promise<unknown>]>([
    ["text()", (response) => response.text()],
    ["json()", (response) => response.json()],
    ["arrayBuffer()", (response) => response.arrayBuffer()],
    [
      "a loop over body",
      async (response) => {
        for await (const _ of response.body!);
      },
    ],
    [
      "a clone's text()",
      async (response) => {
        const clone = response.clone();
        await Promise.all([response.text(), clone.text()]);
      },
    ],
    ["a response made of body", (response) => new Response(response.body).text()],
    ["pipeTo()", (response) => response.body!.pipeTo(new WritableStream())],
  ])("%s ends with ctx, in the middle, with the very ctx.err()", async (_, read) => {
    await using web = await serve(half());
    const ctx = withCancel(withLedger(background()));
    const response = await fetch(ctx, web.url);
    const reading = rejection(read(response));
    await turn();
    expect(live(ctx)).toEqual([`fetch GET ${web.url}/`]);
    ctx.cancel("why");
    expect(await reading).toBe(ctx.err());
    await until(() => web.seen[0]!.gone);
    expect(await stopped(ctx)).toMatchObject([{ state: "abandoned" }]);
  });

  test("if nobody reads it, its connection is closed all the same; later reads say why", async () => {
    await using web = await serve(half());
    const ctx = withCancel(withLedger(background()));
    const response = await fetch(ctx, web.url);
    ctx.cancel();
    await until(() => web.seen[0]!.gone);
    expect(live(ctx)).toEqual([]);
    expect(await rejection(response.text())).toBe(ctx.err());
  });

  test("an end that comes between two reads is never taken for the end of the body", async () => {
    await using web = await serve((res) => {
      res.write("x".repeat(100_000));
    });
    const ctx = withCancel(background());
    const reader = (await fetch(ctx, web.url)).body!.getReader();
    expect((await reader.read()).done).toBe(false);
    ctx.cancel();
    await until(() => web.seen[0]!.gone);
    expect(await rejection(reader.read())).toBe(ctx.err());
  });

  test("the work ends when it has been read to its end, and not before", async () => {
    let finish: () => void = never;
    await using web = await serve((res) => {
      res.write("ha");
      finish = () => res.end("lf");
    });
    const ctx = withCancel(withLedger(background()));
    const response = await fetch(ctx, web.url);
    const text = response.text();
    await turn();
    expect([live(ctx).length, watched(ctx)]).toEqual([1, true]);
    finish();
    expect(await text).toBe("half");
    expect([live(ctx).length, watched(ctx)]).toEqual([0, false]);
    ctx.cancel();
    expect(await stopped(ctx)).toEqual([]);
    expect(web.seen[0]!.gone).toBe(false);
  });

  test("the work ends when it is canceled, and the server hears of it", async () => {
    await using web = await serve(half());
    const ctx = withCancel(withLedger(background()));
    const response = await fetch(ctx, web.url);
    await response.body!.cancel();
    expect([live(ctx), watched(ctx)]).toEqual([[], false]);
    await until(() => web.seen[0]!.gone);
  });

  test.each<[string, Parameters<typeof serve>[0], RequestInit]>([
    ["204", (res) => res.writeHead(204).end(), {}],
    ["HEAD", (res) => res.end("nobody"), { method: "HEAD" }],
    ["content-length: 0", (res) => res.writeHead(404, { "content-length": 0 }).end(), {}],
  ])("where there is none (%s) it ends at once", async (_, answer, init) => {
    await using web = await serve(answer);
    const ctx = withCancel(withLedger(background()));
    const response = await fetch(ctx, web.url, init);
    expect([live(ctx), watched(ctx)]).toEqual([[], false]);
    expect(await response.text()).toBe("");
  });

  test("that breaks off by itself says so in the platform's words", async () => {
    await using web = await serve((res) => {
      res.write("half");
      setTimeout(() => res.destroy(), 20);
    });
    const ctx = withCancel(withLedger(background()));
    const error = await rejection((await fetch(ctx, web.url)).text());
    const { name, message } = (await rejection((await globalThis.fetch(web.url)).text())) as Error;
    expect(error).toMatchObject({ name, message });
    expect([live(ctx), watched(ctx)]).toEqual([[], false]);
  });

  test("can be read into buffers of one's own, to the end", async () => {
    await using web = await serve((res) => res.end("hello"));
    const response = await fetch(background(), web.url);
    const reader = response.body!.getReader({ mode: "byob" });
    let text = "";
    for (;;) {
      const { done, value } = await reader.read(new Uint8Array(3));
      if (done) break;
      text += new TextDecoder().decode(value);
    }
    expect(text).toBe("hello");
  });

  test("of many megabytes arrives whole", async () => {
    const chunk = "0123456789abcdef".repeat(4096);
    await using web = await serve(async (res) => {
      for (let i = 0; i < 100; i++) {
        if (!res.write(chunk)) await new Promise((resolve) => res.once("drain", resolve));
      }
      res.end();
    });
    using ctx = withCancel(background());
    expect(await (await fetch(ctx, web.url)).text()).toBe(chunk.repeat(100));
  });
});

describe("the response", () => {
  test("is what the platform's would be", async () => {
    await using web = await serve((res) => {
      res.writeHead(418, "Short and stout", [
        ["set-cookie", "a=1"],
        ["set-cookie", "b=2"],
        ["content-type", "application/json"],
      ]);
      res.end(`{"tea":true}`);
    });
    const facts = (response: Response) => ({
      ...{ status: response.status, statusText: response.statusText, ok: response.ok },
      ...{ url: response.url, redirected: response.redirected, type: response.type },
      cookies: response.headers.getSetCookie(),
      mime: response.headers.get("content-type"),
      bodyUsed: response.bodyUsed,
    });
    const theirs = await globalThis.fetch(`${web.url}/?q#hash`);
    const ours = await fetch(background(), `${web.url}/?q#hash`);
    expect(facts(ours)).toEqual(facts(theirs));
    expect(ours).toBeInstanceOf(Response);
    const clone = ours.clone();
    expect(facts(clone)).toEqual(facts(theirs.clone()));
    expect(await clone.json()).toEqual({ tea: true });
    expect(await ours.text()).toBe(`{"tea":true}`);
    expect(ours.bodyUsed).toBe(true);
  });

  test("can have a status that no response can be made with", async () => {
    await using web = await serve((res) => res.writeHead(999, "Request denied").end("go away"));
    const response = await fetch(background(), web.url);
    expect([response.status, response.ok]).toEqual([999, false]);
    expect(response.statusText).toBe((await globalThis.fetch(web.url)).statusText);
    expect(await response.text()).toBe("go away");
  });

  test("leaves its connection for the next request", async () => {
    await using web = await serve((res) => res.end("ok"));
    for (let i = 0; i < 5; i++) {
      using ctx = withTimeout(background(), 60_000);
      expect(await (await fetch(ctx, web.url)).text()).toBe("ok");
      await turn(); // the connection is free a moment after the body, with the platform's fetch too
    }
    expect([web.seen.length, web.connections]).toEqual([5, 1]);
  });
});

describe("the caller's own signal", () => {
  test.each<[string, () => unknown]>([
    ["an error", () => new Error("mine")],
    ["a string", () => "mine"],
    ["nothing", () => undefined],
  ])("ends it with its own reason: %s", async (_, reason) => {
    await using web = await serve(never);
    const ctx = withCancel(background());
    const controller = new AbortController();
    const { signal } = controller;
    const waiting = rejection(fetch(ctx, web.url, { signal }));
    await until(() => web.seen.length === 1);
    controller.abort(reason());
    expect(await waiting).toBe(signal.reason);
    await until(() => web.seen[0]!.gone);
    expect(watched(ctx)).toBe(false);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  test("ends the body with its own reason, and leaves no listener", async () => {
    await using web = await serve((res) => res.write("half"));
    const ctx = withCancel(withLedger(background()));
    const controller = new AbortController();
    const response = await fetch(ctx, web.url, { signal: controller.signal });
    const reading = rejection(response.text());
    await turn();
    controller.abort("mine");
    expect(await reading).toBe("mine");
    expect([live(ctx), watched(ctx)]).toEqual([[], false]);
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  });

  test("of a Request object counts, and ctx does beside it", async () => {
    await using web = await serve(never);
    const ctx = withCancel(background());
    const controller = new AbortController();
    const request = () => new Request(web.url, { signal: controller.signal });
    const byCtx = rejection(fetch(ctx, request()));
    const bySignal = rejection(fetch(background(), request()));
    const byNone = rejection(fetch(ctx, request(), { signal: null }));
    await until(() => web.seen.length === 3);
    controller.abort("mine");
    expect(await bySignal).toBe("mine");
    expect(await byCtx).toBe("mine");
    ctx.cancel();
    expect(await byNone).toBe(ctx.err());
  });

  test("that aborts while the response is on its way ends the body", async () => {
    const ctx = withCancel(withLedger(background()));
    const controller = new AbortController();
    const eager = wrapFetch({
      fetch: (_: string, _init?: RequestInit) => {
        controller.abort("mine");
        return Promise.resolve(new Response("late"));
      },
    });
    const response = await eager(ctx, "http://x/", { signal: controller.signal });
    await turn();
    expect([live(ctx), watched(ctx)]).toEqual([[], false]);
    expect(await rejection(response.text())).toBe("mine");
  });

  test("that is none is refused, and no work is left", async () => {
    const ctx = withCancel(withLedger(background()));
    const signal = "no" as unknown as AbortSignal;
    expect(await rejection(fetch(ctx, "http://x/", { signal }))).toBeInstanceOf(TypeError);
    expect(live(ctx)).toEqual([]);
  });

  test("that has aborted already lets nothing be sent", async () => {
    await using web = await serve((res) => res.end());
    const signal = AbortSignal.abort("mine");
    expect(await rejection(fetch(background(), web.url, { signal }))).toBe("mine");
    await turn();
    expect(web.connections).toBe(0);
  });

  test("may be shared by many: one listener, none at the end, no warning", async () => {
    await using web = await serve((res) => setTimeout(() => res.end("ok"), 20));
    const warnings: unknown[] = [];
    const warn = (warning: unknown): void => void warnings.push(warning);
    process.on("warning", warn);
    const { signal } = new AbortController();
    const all = Array.from({ length: 20 }, async () => {
      const response = await fetch(background(), web.url, { signal });
      return await response.text();
    });
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    await Promise.all(all);
    await turn();
    process.off("warning", warn);
    expect([getEventListeners(signal, "abort"), warnings]).toEqual([[], []]);
  });
});

describe("what is sent", () => {
  test("a Request object goes out as it is, and init counts before it", async () => {
    await using web = await serve(whole);
    const request = new Request(`${web.url}/a`, { method: "POST", body: "b", headers: { x: "1" } });
    await (await fetch(background(), request, { headers: { x: "2" } })).text();
    const [{ req, body }] = web.seen as [(typeof web.seen)[0]];
    expect([req.method, req.url, body, req.headers["x"]]).toEqual(["POST", "/a", "b", "2"]);
  });

  test("headers that can be read but once arrive, trusted or not", async () => {
    await using web = await serve((res) => res.end());
    using ctx = withTimeout(background(), 60_000);
    for (const trusted of [[], [web.host]]) {
      const headers = new Map([["x-mine", "1"]]).entries() as unknown as [string, string][];
      await wrapFetch({ trusted })(ctx, web.url, { headers });
    }
    expect(web.seen.map(({ req }) => req.headers["x-mine"])).toEqual(["1", "1"]);
  });

  test("a Request in place of init, as proxies write it, keeps its method, headers and body", async () => {
    await using web = await serve(whole);
    const incoming = new Request("http://public/", {
      method: "PUT",
      body: "b",
      headers: { x: "1" },
    });
    await (await fetch(background(), `${web.url}/moved`, incoming)).text();
    const [{ req, body }] = web.seen as [(typeof web.seen)[0]];
    expect([req.method, req.url, body, req.headers["x"]]).toEqual(["PUT", "/moved", "b", "1"]);
  });

  test("a body that is a stream, or an async iterable, arrives whole", async () => {
    await using web = await serve(whole);
    const bytes = (text: string) => new TextEncoder().encode(text);
    async function* parts() {
      yield bytes("a");
      await turn();
      yield bytes("b");
    }
    const stream = new Response("ab").body!;
    for (const body of [stream, parts()]) {
      const init = { method: "POST", body, duplex: "half" as const };
      await (await fetch(background(), web.url, init)).text();
    }
    expect(web.seen.map(({ body }) => body)).toEqual(["ab", "ab"]);
  });

  test.each(["stream", "iterable"])(
    "an upload (%s) stops with ctx: its source is canceled and not read again",
    async (kind) => {
      await using web = await serve(never);
      const ctx = withCancel(background());
      let pulls = 0;
      let over = false;
      const next = async () => {
        await turn();
        pulls++;
        return new TextEncoder().encode("x");
      };
      const stream = new ReadableStream({
        pull: async (controller) => controller.enqueue(await next()),
        cancel: () => void (over = true),
      });
      async function* iterable() {
        try {
          for (;;) yield await next();
        } finally {
          over = true;
        }
      }
      const body = kind === "stream" ? stream : iterable();
      const waiting = rejection(
        fetch(ctx, web.url, { method: "POST", body, duplex: "half" as const }),
      );
      await until(() => web.seen.length === 1 && web.seen[0]!.body.length > 3);
      ctx.cancel();
      expect(await waiting).toBe(ctx.err());
      await until(() => web.seen[0]!.gone && over);
      const before = pulls;
      for (let i = 0; i < 20; i++) await turn();
      expect(pulls).toBeLessThanOrEqual(before + 1);
    },
  );

  test("a source that fails fails the request, in the platform's words", async () => {
    await using web = await serve(never);
    const body = new ReadableStream({ pull: () => Promise.reject(new Error("no more")) });
    const init = { method: "POST", body, duplex: "half" as const };
    const ctx = withCancel(background());
    expect(await rejection(fetch(ctx, web.url, init))).toBeInstanceOf(Error);
    expect([ctx.err(), watched(ctx)]).toEqual([undefined, false]);
  });

  test("nothing of the context, unless it is asked for", async () => {
    await using web = await serve((res) => res.end());
    using ctx = withTimeout(background(), 60_000);
    await fetch(ctx, web.url);
    await globalThis.fetch(web.url);
    const [ours, theirs] = web.seen.map(({ req }) => req.headers);
    expect(ours).toEqual(theirs);
  });
});

test("misuse says what to write", async () => {
  const wrong = fetch as unknown as (...args: unknown[]) => Promise<unknown>;
  expect(await rejection(wrong("http://x/"))).toMatchObject({
    message: expect.stringContaining("write fetch(ctx, url, init)") as string,
  });
  expect(() => wrapFetch({ fetch: "no" as never })).toThrow("the option fetch is a function");
});
