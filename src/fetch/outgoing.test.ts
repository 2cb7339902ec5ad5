/** What a server is told, which servers are, and when nothing is sent at all. */
import { describe, expect, test } from "vitest";
import { serve, type Web } from "../../test/support/web.ts";
import {
  background,
  isDeadlineExceeded,
  key,
  withCancel,
  withTimeout,
  withValue,
} from "../index.ts";
import { ManualClock, useClock } from "../testing/index.ts";
import { BudgetTooSmallError, wrapFetch, type OutgoingOptions } from "./index.ts";

const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "fulfilled",
    (error: unknown) => error,
  );
const TraceParent = key<string>("traceparent");
const Tenant = key<string>("tenant", { default: "none", secret: true });

/** What one request of `ms` milliseconds is told. Time stands still. */
async function told(
  ms: number,
  options: OutgoingOptions = {},
  headers: Record<string, string> = {},
): Promise<Record<string, unknown>> {
  await using web = await serve((res) => res.end());
  using _ = useClock(new ManualClock());
  using ctx = withTimeout(background(), ms);
  await wrapFetch({ trusted: [web.host], ...options })(ctx, web.url, { headers });
  return web.seen[0]!.req.headers;
}

describe("the deadline", () => {
  test.each<[number, OutgoingOptions, string, string | undefined]>([
    [1_000, {}, "x-request-timeout-ms", "995"],
    [1_000, { margin: 0 }, "x-request-timeout-ms", "1000"],
    [1_000.9, { margin: 0.2 }, "x-request-timeout-ms", "1000"],
    [6, {}, "x-request-timeout-ms", "1"],
    [Infinity, {}, "x-request-timeout-ms", undefined],
    [1e15, {}, "x-request-timeout-ms", "9999999999"],
    [1_000, { deadlineHeader: "Connect-Timeout-Ms" }, "connect-timeout-ms", "995"],
    [
      1_000,
      { deadlineHeader: "x-envoy-expected-rq-timeout-ms" },
      "x-envoy-expected-rq-timeout-ms",
      "995",
    ],
    [1_000, { deadlineHeader: "context-ttl-ms" }, "context-ttl-ms", "995"],
    [1_000, { deadlineHeader: "grpc-timeout" }, "grpc-timeout", "995m"],
    [1e8 - 1 + 5, { deadlineHeader: "grpc-timeout" }, "grpc-timeout", "99999999m"],
    [1e8 + 5, { deadlineHeader: "grpc-timeout" }, "grpc-timeout", "100000S"],
    [1e12, { deadlineHeader: "grpc-timeout" }, "grpc-timeout", "16666666M"],
    [1e15, { deadlineHeader: "grpc-timeout" }, "grpc-timeout", "99999999H"],
    [Infinity, { deadlineHeader: "grpc-timeout" }, "grpc-timeout", undefined],
  ])("of %d ms with %j: %s: %s", async (ms, options, header, value) => {
    expect((await told(ms, options))[header]).toBe(value);
  });

  test.each<[string, string, string]>([
    ["shorter stays", "100", "100"],
    ["longer is shortened", "5000", "995"],
    ["leading zeros change nothing", "0000100", "100".padStart(7, "0")],
    ["malformed is left to who can read it", "5s", "5s"],
    ["of eleven digits is malformed", "99999999999", "99999999999"],
    ["hexadecimal is malformed", "0xffff", "0xffff"],
  ])("a header of the caller's own that is %s", async (_, own, value) => {
    expect((await told(1_000, {}, { "X-Request-Timeout-Ms": own }))["x-request-timeout-ms"]).toBe(
      value,
    );
  });

  test.each([
    ["1H", "995m"],
    ["994999u", "994999u"],
    ["99999999n", "99999999n"],
    ["996m", "995m"],
    ["1h", "1h"],
  ])("grpc-timeout of the caller's own: %s becomes %s", async (own, value) => {
    const headers = { "grpc-timeout": own };
    expect((await told(1_000, { deadlineHeader: "grpc-timeout" }, headers))["grpc-timeout"]).toBe(
      value,
    );
  });
});

describe("who is trusted", () => {
  const isTold = async (trusted: OutgoingOptions["trusted"], url: string): Promise<boolean> => {
    let headers: Headers | undefined;
    const capture = wrapFetch({
      ...(trusted && { trusted }),
      fetch: (_: string, init?: RequestInit) => {
        headers = new Headers(init?.headers);
        return Promise.resolve(new Response(null));
      },
    });
    using ctx = withTimeout(background(), 60_000);
    await capture(ctx, url);
    return headers?.has("x-request-timeout-ms") ?? false;
  };

  test.each<[OutgoingOptions["trusted"], string, boolean]>([
    [undefined, "http://a.internal/", false],
    [[], "http://a.internal/", false],
    [["a.internal"], "http://a.internal/", true],
    [["A.Internal"], "https://a.INTERNAL:8443/x", true],
    [["a.internal"], "http://b.a.internal/", false],
    [["a.internal"], "http://a.internal.evil.example/", false],
    [["a.internal"], "http://evil.example/a.internal", false],
    [["a.internal"], "http://a.internal@evil.example/", false],
    [["a.internal"], "http://evil.example/?a.internal#a.internal", false],
    [["a.internal:8080"], "http://a.internal:8080/", true],
    [["a.internal:8080"], "http://a.internal/", false],
    [["a.internal:443"], "https://a.internal/", true],
    [["a.internal:80"], "https://a.internal/", false],
    [["*.internal"], "http://a.b.internal/", true],
    [["*.internal"], "http://internal/", false],
    [["*.internal"], "http://evilinternal/", false],
    [["[::1]"], "http://[::1]:3000/", true],
    [["[::1]:3000"], "http://[0:0::1]:3000/", true],
    [["127.0.0.1"], "http://2130706433/", true], // the same address, and URLs know it
    [["bücher.example"], "http://xn--bcher-kva.example/", true],
    [(url) => url.protocol === "https:", "https://anybody.example/", true],
    [(url) => url.protocol === "https:", "http://anybody.example/", false],
    [(url) => url.hostname === "", "data:text/plain,x", true],
    [["a.internal"], "data:a.internal", false],
  ])("%j, %s: %j", async (trusted, url, expected) => {
    expect(await isTold(trusted, url)).toBe(expected);
  });

  test.each([
    "http://a.internal",
    "a.internal/",
    "a internal",
    "",
    "*",
    "*.",
    "a.internal:",
    "a@b",
    "::1",
  ])("%j is no host", (entry) => {
    expect(() => wrapFetch({ trusted: [entry] })).toThrow("trusted takes hosts");
  });

  test("other options are checked when they are given too", () => {
    expect(() => wrapFetch({ margin: Number.NaN })).toThrow("margin is a number of milliseconds");
    expect(() => wrapFetch({ minimum: -1 })).toThrow("minimum is a number of milliseconds");
    expect(() => wrapFetch({ deadlineHeader: "a b" })).toThrow('no header can be named "a b"');
    expect(() => wrapFetch({ values: [[TraceParent, ""]] })).toThrow('no header can be named ""');
  });
});

describe("values", () => {
  test("cross where their key is named, to trusted hosts alone; the caller's own header wins", async () => {
    await using trusted = await serve((res) => res.end());
    await using stranger = await serve((res) => res.end());
    const send = wrapFetch({
      trusted: [trusted.host],
      values: [
        [TraceParent, "Traceparent"],
        [Tenant, "x-tenant"],
      ],
    });
    const Other = key<string>("other");
    const ctx = withValue(withValue(background(), TraceParent, "00-1-2-01"), Other, "never");
    await send(ctx, trusted.url);
    await send(ctx, trusted.url, { headers: { traceparent: "mine" } });
    await send(background(), trusted.url);
    await send(ctx, stranger.url);
    const seen = [...trusted.seen, ...stranger.seen].map(({ req }) => [
      req.headers["traceparent"],
      req.headers["x-tenant"],
    ]);
    expect(seen).toEqual([
      ["00-1-2-01", "none"],
      ["mine", "none"],
      [undefined, "none"],
      [undefined, undefined],
    ]);
    expect(JSON.stringify(trusted.seen.map(({ req }) => req.rawHeaders))).not.toContain("never");
  });

  test("that no header can hold are refused, and nothing is sent", async () => {
    await using web = await serve((res) => res.end());
    const send = wrapFetch({ trusted: [web.host], values: [[TraceParent, "traceparent"]] });
    const ctx = withValue(background(), TraceParent, "a\r\nx-injected: 1");
    expect(await rejection(send(ctx, web.url))).toBeInstanceOf(TypeError);
    expect(web.connections).toBe(0);
  });
});

describe("too little time", () => {
  test.each<[string, number, OutgoingOptions, string]>([
    ["below the minimum", 40, { minimum: 50 }, "40 ms left"],
    ["below the minimum, whoever is asked", 40, { minimum: 50, trusted: [] }, "needs 50 ms"],
    ["nothing to tell but the margin", 5.5, {}, "needs 6 ms"],
    ["less than a millisecond to tell", 0.5, { margin: 0 }, "needs 1 ms"],
  ])("%s: nothing is sent, and the error says so", async (_, ms, options, message) => {
    await using web = await serve((res) => res.end());
    using _clock = useClock(new ManualClock());
    using ctx = withTimeout(background(), ms);
    const send = wrapFetch({ trusted: [web.host], ...options });
    const error = (await rejection(send(ctx, `${web.url}/a?secret`))) as BudgetTooSmallError;
    expect(error).toBeInstanceOf(BudgetTooSmallError);
    expect(error.message).toContain(message);
    expect(error.message).toContain(`GET ${web.url}/a,`);
    expect(isDeadlineExceeded(error)).toBe(true);
    expect([error.name, error.left]).toEqual(["TimeoutError", ms]);
    expect([ctx.err(), web.connections]).toEqual([undefined, 0]);
  });

  test("as much as is needed is enough, and strangers are asked to the last", async () => {
    await using web = await serve((res) => res.end());
    using _clock = useClock(new ManualClock());
    using ctx = withTimeout(background(), 50);
    await wrapFetch({ minimum: 50 })(ctx, web.url);
    using last = withTimeout(background(), 0.5);
    await wrapFetch()(last, web.url);
    expect(web.seen).toHaveLength(2);
  });

  test("of a context without a deadline there is always enough", async () => {
    await using web = await serve((res) => res.end());
    await wrapFetch({ minimum: 1e9, trusted: [web.host] })(background(), web.url);
    expect(web.seen).toHaveLength(1);
  });
});

describe("redirects of a request that is told something", () => {
  const HEADER = "x-request-timeout-ms";
  const tellers = (web: Web) => web.seen.map(({ req }) => HEADER in req.headers);
  const redirectTo =
    (where: () => string, status = 302): Parameters<typeof serve>[0] =>
    (res) =>
      res.writeHead(status, { location: where() }).end("moved");

  test("go to strangers without it, and credentials stay at home", async () => {
    await using stranger = await serve((res) => res.end("from a stranger"));
    await using web = await serve(redirectTo(() => `${stranger.url}/x`));
    using ctx = withTimeout(background(), 60_000);
    const response = await wrapFetch({ trusted: [web.host] })(ctx, `${web.url}/#there`, {
      headers: { authorization: "secret", cookie: "secret", "x-mine": "stays" },
    });
    expect(await response.text()).toBe("from a stranger");
    expect([response.url, response.redirected]).toEqual([`${stranger.url}/x`, true]);
    expect([tellers(web), tellers(stranger)]).toEqual([[true], [false]]);
    const { authorization, cookie, "x-mine": mine } = stranger.seen[0]!.req.headers;
    expect([authorization, cookie, mine]).toEqual([undefined, undefined, "stays"]);
  });

  test("tell each hop what is left then, and the way back as well", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    await using stranger = await serve(redirectTo(() => `${web.url}/end`));
    await using web = await serve((res, req) => {
      clock.advance(100);
      if (req.url === "/end") res.end("ok");
      else redirectTo(() => stranger.url)(res, req);
    });
    using ctx = withTimeout(background(), 1_000);
    await (await wrapFetch({ trusted: [web.host], margin: 0 })(ctx, web.url)).text();
    expect(web.seen.map(({ req }) => req.headers[HEADER])).toEqual(["1000", "900"]);
    expect(tellers(stranger)).toEqual([false]);
  });

  test("from a stranger to a trusted host tell nothing: the platform follows by itself", async () => {
    await using web = await serve((res) => res.end("ok"));
    await using stranger = await serve(redirectTo(() => web.url));
    using ctx = withTimeout(background(), 60_000);
    const response = await wrapFetch({ trusted: [web.host] })(ctx, stranger.url);
    expect([await response.text(), response.redirected]).toEqual(["ok", true]);
    expect(tellers(web)).toEqual([false]);
  });

  test.each([
    [301, "POST", "GET", ""],
    [302, "POST", "GET", ""],
    [303, "PUT", "GET", ""],
    [302, "PUT", "PUT", "body"],
    [307, "POST", "POST", "body"],
    [308, "POST", "POST", "body"],
  ])(
    "%d turns %s into %s with the body %j, as the platform does",
    async (status, method, then, body) => {
      const seenBy = async (
        send: (url: string, init: RequestInit) => Promise<Response>,
        how: Web,
      ) => {
        await (await send(how.url, { method, body: "body", headers: { "x-a": "1" } })).text();
        const { req, body: sent } = how.seen[1]!;
        const { [HEADER]: _, ...headers } = req.headers;
        return { method: req.method, sent, headers: { ...headers, host: "" } };
      };
      const answer: Parameters<typeof serve>[0] = (res, req) =>
        req.on("end", () => {
          if (req.url === "/end") res.end();
          else redirectTo(() => "/end", status)(res, req);
        });
      await using ours = await serve(answer);
      await using theirs = await serve(answer);
      using ctx = withTimeout(background(), 60_000);
      const send = wrapFetch({ trusted: [ours.host] });
      const seen = await seenBy(async (url, init) => await send(ctx, url, init), ours);
      expect(seen).toMatchObject({ method: then, sent: body });
      expect(seen).toEqual(
        await seenBy(async (url, init) => await globalThis.fetch(url, init), theirs),
      );
    },
  );

  test.each<[string, RequestInit & { duplex?: "half" }, string]>([
    ["a stream", { method: "POST", body: new Response("x").body, duplex: "half" }, "sent twice"],
  ])("with a body that is %s fail, as the platform's do", async (_, init, message) => {
    await using web = await serve(redirectTo(() => "/end", 307));
    using ctx = withTimeout(background(), 60_000);
    const error = await rejection(wrapFetch({ trusted: [web.host] })(ctx, web.url, init));
    expect((error as Error).cause).toMatchObject({
      message: expect.stringContaining(message) as string,
    });
  });

  test.each([
    ["a Request object", (web: Web) => new Request(web.url), "a Request object cannot be sent"],
  ])("of %s are refused, with a word on what to write", async (_, input, message) => {
    await using web = await serve(redirectTo(() => "/end"));
    using ctx = withTimeout(background(), 60_000);
    const error = await rejection(wrapFetch({ trusted: [web.host] })(ctx, input(web)));
    expect((error as Error).message).toContain(message);
    expect(web.seen).toHaveLength(1);
  });

  test("in circles, to nowhere and to what is not HTTP fail", async () => {
    using ctx = withTimeout(background(), 60_000);
    for (const [where, message] of [
      ["/again", "redirect count exceeded"],
      ["http://", "invalid redirect"],
      ["data:,x", "not HTTP"],
    ] as const) {
      await using web = await serve(redirectTo(() => where));
      const error = await rejection(wrapFetch({ trusted: [web.host] })(ctx, web.url));
      expect((error as Error).cause).toMatchObject({
        message: expect.stringContaining(message) as string,
      });
      expect(web.seen).toHaveLength(where === "/again" ? 21 : 1);
    }
  });

  test("with the caller's own redirect mode are not followed", async () => {
    await using web = await serve(redirectTo(() => "/end"));
    using ctx = withTimeout(background(), 60_000);
    const send = wrapFetch({ trusted: [web.host] });
    const response = await send(ctx, web.url, { redirect: "manual" });
    expect([response.status, response.redirected]).toEqual([302, false]);
    expect(await rejection(send(ctx, web.url, { redirect: "error" }))).toBeInstanceOf(TypeError);
    expect(tellers(web)).toEqual([true, true]);
  });

  test("without a Location are answers", async () => {
    await using web = await serve((res) => res.writeHead(304).end());
    await using bare = await serve((res) => res.writeHead(301).end("nowhere"));
    using ctx = withTimeout(background(), 60_000);
    const send = wrapFetch({ trusted: [web.host, bare.host] });
    expect((await send(ctx, web.url)).status).toBe(304);
    expect(await (await send(ctx, bare.url)).text()).toBe("nowhere");
  });

  test("end with ctx on any hop", async () => {
    await using slow = await serve(() => undefined);
    await using web = await serve(redirectTo(() => slow.url));
    const ctx = withCancel(withTimeout(background(), 60_000));
    const waiting = rejection(wrapFetch({ trusted: [web.host] })(ctx, web.url));
    while (slow.seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    ctx.cancel();
    expect(await waiting).toBe(ctx.err());
  });

  test("a Location in UTF-8 is read as such", async () => {
    await using web = await serve((res, req) => {
      if (req.url !== "/") res.end(req.url);
      else res.writeHead(302, { location: Buffer.from("/ä").toString("latin1") }).end();
    });
    using ctx = withTimeout(background(), 60_000);
    const response = await wrapFetch({ trusted: [web.host] })(ctx, web.url);
    expect(await response.text()).toBe("/%C3%A4");
  });
});
