/** What stops a request, with which error it rejects, and how long its context is watched. */
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
/** Responds after the whole request has arrived. */
const respondAfterBody: Parameters<typeof serve>[0] = (res, req) =>
  req.on("end", () => res.end("ok"));
const watched = (ctx: Context): boolean => isWatched(scopeOf(ctx)!);
const live = (ctx: Context): string[] => working(ctx).map(({ kind, what }) => `${kind} ${what}`);

describe("a request without a response yet", () => {
  test("is aborted for the server and rejects with the same ctx.err() when ctx is canceled", async () => {
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

  test("is aborted for the server and rejects with the same ctx.err() when its deadline passes", async () => {
    await using web = await serve(never);
    using ctx = withTimeout(background(), 50);
    expect(await rejection(fetch(ctx, web.url))).toBe(ctx.err());
    expect(ctx.err()?.name).toBe("TimeoutError");
    await until(() => web.seen.every(({ gone }) => gone));
  });

  test("rejects with ctx.err() when ctx ends while it connects", async () => {
    await using web = await serve(never);
    const ctx = withCancel(background());
    const waiting = rejection(fetch(ctx, web.url));
    ctx.cancel();
    expect(await waiting).toBe(ctx.err());
    await until(() => web.seen.every(({ gone }) => gone));
  });

  test("is not sent if ctx is done already", async () => {
    await using web = await serve((res) => res.end());
    const ctx = withCancel(withLedger(background()));
    ctx.cancel();
    expect(await rejection(fetch(ctx, web.url))).toBe(ctx.err());
    await turn();
    expect(web.connections).toBe(0);
    expect(await stopped(ctx)).toEqual([]);
  });

  test("rejects with the platform's own error if it fails", async () => {
    const ctx = withCancel(withLedger(background()));
    const error = await rejection(fetch(ctx, "http://127.0.0.1:1/"));
    expect(error).toMatchObject({ name: "TypeError", message: expect.any(String) as string });
    expect(await rejection(fetch(ctx, "nonsense"))).toBeInstanceOf(TypeError);
    expect([watched(ctx), live(ctx)]).toEqual([false, []]);
  });

  test("rejects with the platform's own error even if ctx ends at the same time", async () => {
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

  test("resolves with a response that arrives before the end of ctx", async () => {
    const ctx = withCancel(background());
    const eager = wrapFetch({
      fetch: (_: string) => {
        ctx.cancel();
        return Promise.resolve(new Response(null, { status: 204 }));
      },
    });
    expect((await eager(ctx, "http://x/")).status).toBe(204);
  });

  test("rejects after the stop timeout if its own fetch ignores its signal, and discards the response", async () => {
    const ctx = withCancel(background());
    let canceled = false;
    const body = new ReadableStream({ cancel: () => void (canceled = true) });
    let answer: (response: Response) => void = never;
    const stubborn = wrapFetch({
      fetch: (_: string) => new Promise<Response>((resolve) => (answer = resolve)),
    });
    const waiting = rejection(stubborn(ctx, "http://x/"));
    ctx.cancel();
    expect(await waiting).toBe(ctx.err());
    answer(new Response(body));
    await until(() => canceled);
  });
});

describe("the body of a response", () => {
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
  ])("rejects %s in the middle with the same ctx.err() when ctx ends", async (_, read) => {
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

  test("closes its connection when ctx ends while it is not read, and later reads reject with ctx.err()", async () => {
    await using web = await serve(half());
    const ctx = withCancel(withLedger(background()));
    const response = await fetch(ctx, web.url);
    ctx.cancel();
    await until(() => web.seen[0]!.gone);
    expect(live(ctx)).toEqual([]);
    expect(await rejection(response.text())).toBe(ctx.err());
  });

  test("does not look complete when ctx ends between two reads", async () => {
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

  test("ends its work when it has been read to its end, and not before", async () => {
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

  test("ends its work and its connection when it is canceled", async () => {
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
  ])("ends its work at once if it is empty (%s)", async (_, answer, init) => {
    await using web = await serve(answer);
    const ctx = withCancel(withLedger(background()));
    const response = await fetch(ctx, web.url, init);
    expect([live(ctx), watched(ctx)]).toEqual([[], false]);
    expect(await response.text()).toBe("");
  });

  test("rejects with the platform's own error if it breaks off", async () => {
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

  test("can be read into the caller's buffers to its end", async () => {
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

  test("arrives whole if it has many megabytes", async () => {
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

describe("a response", () => {
  test("has the properties of the platform's response", async () => {
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

  test("can have a status that the constructor of Response rejects", async () => {
    await using web = await serve((res) => res.writeHead(999, "Request denied").end("go away"));
    const response = await fetch(background(), web.url);
    expect([response.status, response.ok]).toEqual([999, false]);
    expect(response.statusText).toBe((await globalThis.fetch(web.url)).statusText);
    expect(await response.text()).toBe("go away");
  });

  test("leaves its connection to the next request", async () => {
    await using web = await serve((res) => res.end("ok"));
    for (let i = 0; i < 5; i++) {
      using ctx = withTimeout(background(), 60_000);
      expect(await (await fetch(ctx, web.url)).text()).toBe("ok");
      await turn(); // the connection is free a moment after the body, as on the platform
    }
    expect([web.seen.length, web.connections]).toEqual([5, 1]);
  });
});

describe("the signal of init", () => {
  test.each<[string, () => unknown]>([
    ["an error", () => new Error("mine")],
    ["a string", () => "mine"],
    ["nothing", () => undefined],
  ])("stops the request, which rejects with the reason of the signal: %s", async (_, reason) => {
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

  test("stops the body, which rejects with its reason, and leaves no listener", async () => {
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

  test("stops the request if it comes from a Request object, and ctx stops the request too", async () => {
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

  test("stops the body if it aborts just before the response arrives", async () => {
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

  test("rejects with a TypeError if it is not a signal, and leaves no work", async () => {
    const ctx = withCancel(withLedger(background()));
    const signal = "no" as unknown as AbortSignal;
    expect(await rejection(fetch(ctx, "http://x/", { signal }))).toBeInstanceOf(TypeError);
    expect(live(ctx)).toEqual([]);
  });

  test("prevents the request if it was aborted before", async () => {
    await using web = await serve((res) => res.end());
    const signal = AbortSignal.abort("mine");
    expect(await rejection(fetch(background(), web.url, { signal }))).toBe("mine");
    await turn();
    expect(web.connections).toBe(0);
  });

  test("gets one listener for many requests, none after their end, and causes no warning", async () => {
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

describe("a request", () => {
  test("sends a Request object as it is, and init overrides it", async () => {
    await using web = await serve(respondAfterBody);
    const request = new Request(`${web.url}/a`, { method: "POST", body: "b", headers: { x: "1" } });
    await (await fetch(background(), request, { headers: { x: "2" } })).text();
    const [{ req, body }] = web.seen as [(typeof web.seen)[0]];
    expect([req.method, req.url, body, req.headers["x"]]).toEqual(["POST", "/a", "b", "2"]);
  });

  test("sends headers that can be read only once, to a trusted host and to another", async () => {
    await using web = await serve((res) => res.end());
    using ctx = withTimeout(background(), 60_000);
    for (const trusted of [[], [web.host]]) {
      const headers = new Map([["x-mine", "1"]]).entries() as unknown as [string, string][];
      await wrapFetch({ trusted })(ctx, web.url, { headers });
    }
    expect(web.seen.map(({ req }) => req.headers["x-mine"])).toEqual(["1", "1"]);
  });

  test("keeps the method, headers and body of a Request in place of init, as proxies write it", async () => {
    await using web = await serve(respondAfterBody);
    const incoming = new Request("http://public/", {
      method: "PUT",
      body: "b",
      headers: { x: "1" },
    });
    await (await fetch(background(), `${web.url}/moved`, incoming)).text();
    const [{ req, body }] = web.seen as [(typeof web.seen)[0]];
    expect([req.method, req.url, body, req.headers["x"]]).toEqual(["PUT", "/moved", "b", "1"]);
  });

  test("sends a body that is a stream or an async iterable", async () => {
    await using web = await serve(respondAfterBody);
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
    "cancels its body (%s) when ctx ends, and does not read it again",
    async (kind) => {
      await using web = await serve(never);
      const ctx = withCancel(background());
      let pulls = 0;
      let isCanceled = false;
      const next = async () => {
        await turn();
        pulls++;
        return new TextEncoder().encode("x");
      };
      const stream = new ReadableStream({
        pull: async (controller) => controller.enqueue(await next()),
        cancel: () => void (isCanceled = true),
      });
      async function* iterable() {
        try {
          for (;;) yield await next();
        } finally {
          isCanceled = true;
        }
      }
      const body = kind === "stream" ? stream : iterable();
      const waiting = rejection(
        fetch(ctx, web.url, { method: "POST", body, duplex: "half" as const }),
      );
      await until(() => web.seen.length === 1 && web.seen[0]!.body.length > 3);
      ctx.cancel();
      expect(await waiting).toBe(ctx.err());
      await until(() => web.seen[0]!.gone && isCanceled);
      const before = pulls;
      for (let i = 0; i < 20; i++) await turn();
      expect(pulls).toBeLessThanOrEqual(before + 1);
    },
  );

  test("rejects with the platform's own error if its body fails", async () => {
    await using web = await serve(never);
    const body = new ReadableStream({ pull: () => Promise.reject(new Error("no more")) });
    const init = { method: "POST", body, duplex: "half" as const };
    const ctx = withCancel(background());
    expect(await rejection(fetch(ctx, web.url, init))).toBeInstanceOf(Error);
    expect([ctx.err(), watched(ctx)]).toEqual([undefined, false]);
  });

  test("sends the same headers as the platform's fetch by default", async () => {
    await using web = await serve((res) => res.end());
    using ctx = withTimeout(background(), 60_000);
    await fetch(ctx, web.url);
    await globalThis.fetch(web.url);
    const [ours, theirs] = web.seen.map(({ req }) => req.headers);
    expect(ours).toEqual(theirs);
  });
});

test("a call without a context rejects with a TypeError that says what to write", async () => {
  const wrong = fetch as unknown as (...args: unknown[]) => Promise<unknown>;
  expect(await rejection(wrong("http://x/"))).toMatchObject({
    message: expect.stringContaining("write fetch(ctx, url, init)") as string,
  });
});
