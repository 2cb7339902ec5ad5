/** Which headers a server gets, which servers get them, and when a request is not sent at all. */
import { inspect } from "node:util";
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
import {
  BudgetTooSmallError,
  contextInterceptor,
  requestInit,
  wrapFetch,
  type OutgoingOptions,
} from "./index.ts";

const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "fulfilled",
    (error: unknown) => error,
  );
const TraceParent = key<string>("traceparent");
const Tenant = key<string>("tenant", { default: "none", secret: true });

/** Returns the headers of a request that has `ms` milliseconds left. The clock stands still. */
async function headersSent(
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

describe("the deadline header", () => {
  test.each<[number, OutgoingOptions, string, string | undefined]>([
    [1_000, {}, "x-request-timeout-ms", "995"],
    [1_000, { margin: 0 }, "x-request-timeout-ms", "1000"],
    [Infinity, {}, "x-request-timeout-ms", undefined],
    [1_000, { deadlineHeader: "Connect-Timeout-Ms" }, "connect-timeout-ms", "995"],
    [
      1_000,
      { deadlineHeader: "x-envoy-expected-rq-timeout-ms" },
      "x-envoy-expected-rq-timeout-ms",
      "995",
    ],
    [1_000, { deadlineHeader: "context-ttl-ms" }, "context-ttl-ms", "995"],
    [1_000, { deadlineHeader: "gRPC-Timeout" }, "grpc-timeout", "995m"],
  ])("with %d ms left and the options %j: %s is %s", async (ms, options, header, value) => {
    expect((await headersSent(ms, options))[header]).toBe(value);
  });

  test.each<[string, string, string]>([
    ["is kept if it is shorter", "0000100", "0000100"],
    ["is shortened if it is longer", "5000", "995"],
    ["is kept if it is malformed", "5s", "5s"],
  ])("that the caller has set %s", async (_, own, value) => {
    const headers = await headersSent(1_000, {}, { "X-Request-Timeout-Ms": own });
    expect(headers["x-request-timeout-ms"]).toBe(value);
  });

  test("grpc-timeout that the caller has set is read in gRPC's grammar", async () => {
    const options = { deadlineHeader: "grpc-timeout" };
    const sent = await headersSent(1_000, options, { "grpc-timeout": "1H" });
    expect(sent["grpc-timeout"]).toBe("995m");
  });
});

describe("the option trusted", () => {
  const getsDeadline = async (
    trusted: OutgoingOptions["trusted"],
    url: string,
  ): Promise<boolean> => {
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
    [["127.0.0.1"], "http://2130706433/", true], // the same address: URL converts it
    [["bücher.example"], "http://xn--bcher-kva.example/", true],
    [(url) => url.protocol === "https:", "https://anybody.example/", true],
    [(url) => url.protocol === "https:", "http://anybody.example/", false],
    [(url) => url.hostname === "", "data:text/plain,x", true],
    [["a.internal"], "data:a.internal", false],
  ])("%j: whether %s gets the deadline is %j", async (trusted, url, expected) => {
    expect(await getsDeadline(trusted, url)).toBe(expected);
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
    ".a",
    "*..a",
    "a..b",
    "%2ea",
    "．a", // URL reads it as ".a"
  ])("rejects %j, which is not a host", (entry) => {
    expect(() => wrapFetch({ trusted: [entry] })).toThrow(
      /in the option trusted, which is not a host; pass a list of hosts, as in trusted: \[/,
    );
  });
});

describe("the option values", () => {
  test("sends the named values to trusted hosts only, and keeps headers that the caller has set", async () => {
    await using trusted = await serve((res) => res.end());
    await using untrusted = await serve((res) => res.end());
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
    await send(ctx, untrusted.url);
    const seen = [...trusted.seen, ...untrusted.seen].map(({ req }) => [
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

  test("rejects a value that a header cannot contain, and sends nothing", async () => {
    await using web = await serve((res) => res.end());
    const send = wrapFetch({ trusted: [web.host], values: [[TraceParent, "traceparent"]] });
    const ctx = withValue(background(), TraceParent, "a\r\nx-injected: 1");
    expect(await rejection(send(ctx, web.url))).toBeInstanceOf(TypeError);
    expect(web.connections).toBe(0);
  });

  test.each(["hunter2\r", "hunter2\n", "hunter2\0", "hunter2\u2028", "hunter2\x7f"])(
    "an error does not quote the value %j that a header cannot contain",
    async (value) => {
      const values: OutgoingOptions["values"] = [[Tenant, "x-tenant"]];
      const options = { trusted: ["a.internal"], values };
      const ctx = withValue(background(), Tenant, value);
      const url = "http://a.internal/";
      const intercepted = new Promise((resolve) => {
        const dispatch = contextInterceptor(
          ctx,
          options,
        )((_options: unknown, _handler: object) => true);
        dispatch({ origin: url }, { onError: resolve });
      });
      const errors = [
        await rejection(wrapFetch(options)(ctx, url)),
        thrownBy(() => requestInit(ctx, url, options)),
        await intercepted,
      ];
      for (const error of errors) {
        expect(error).toBeInstanceOf(TypeError);
        expect((error as Error).message).toMatch(/^a value of the context has a character/);
        expect(inspect(error)).toContain("the value of the key tenant is for the header x-tenant");
        expect(inspect(error)).not.toContain("hunter2");
      }
    },
  );

  test.each(["", "ümlaut", "a\tb", "tab and space ", 'a,b;c="d"'])(
    "sends the value %j",
    async (value) => {
      await using web = await serve((res) => res.end());
      const send = wrapFetch({ trusted: [web.host], values: [[Tenant, "x-tenant"]] });
      await send(withValue(background(), Tenant, value), web.url);
      expect(web.seen[0]!.req.headers["x-tenant"]).toBe(value.trim());
    },
  );
});

describe("a request with too little time left", () => {
  test.each<[string, number, OutgoingOptions, number]>([
    ["less than the minimum is left", 40, { minimum: 50 }, 50],
    ["less than the minimum is left for an untrusted host", 40, { minimum: 50, trusted: [] }, 50],
    ["only the margin is left", 5.5, {}, 6],
    ["less than a millisecond is left", 0.5, { margin: 0 }, 1],
  ])("is not sent, and the error says so, if %s", async (_, ms, options, needed) => {
    await using web = await serve((res) => res.end());
    using _clock = useClock(new ManualClock());
    using ctx = withTimeout(background(), ms);
    const send = wrapFetch({ trusted: [web.host], ...options });
    const error = (await rejection(send(ctx, `${web.url}/a?secret`))) as BudgetTooSmallError;
    expect(error).toBeInstanceOf(BudgetTooSmallError);
    expect([error.message, error.what, error.needed]).toEqual([
      "context deadline exceeded: too little time is left, and the request was not sent",
      ...[`GET ${web.url}/a`, needed],
    ]);
    expect(isDeadlineExceeded(error)).toBe(true);
    expect([error.name, error.left]).toEqual(["TimeoutError", ms]);
    expect([ctx.err(), web.connections]).toEqual([undefined, 0]);
  });

  test("is sent if exactly the minimum is left, or any time for an untrusted host", async () => {
    await using web = await serve((res) => res.end());
    using _clock = useClock(new ManualClock());
    using ctx = withTimeout(background(), 50);
    await wrapFetch({ minimum: 50 })(ctx, web.url);
    using last = withTimeout(background(), 0.5);
    await wrapFetch()(last, web.url);
    expect(web.seen).toHaveLength(2);
  });

  test("is always sent if its context has no deadline", async () => {
    await using web = await serve((res) => res.end());
    await wrapFetch({ minimum: 1e9, trusted: [web.host] })(background(), web.url);
    expect(web.seen).toHaveLength(1);
  });
});

describe("a redirect of a request with headers from its context", () => {
  const HEADER = "x-request-timeout-ms";
  const haveDeadline = (web: Web) => web.seen.map(({ req }) => HEADER in req.headers);
  const redirectTo =
    (where: () => string, status = 302): Parameters<typeof serve>[0] =>
    (res) =>
      res.writeHead(status, { location: where() }).end("moved");

  test("leads to an untrusted host without those headers and without credentials", async () => {
    await using untrusted = await serve((res) => res.end("from an untrusted host"));
    await using web = await serve(redirectTo(() => `${untrusted.url}/x`));
    using ctx = withTimeout(background(), 60_000);
    const response = await wrapFetch({ trusted: [web.host] })(ctx, `${web.url}/#there`, {
      headers: { authorization: "secret", cookie: "secret", "x-mine": "stays" },
    });
    expect(await response.text()).toBe("from an untrusted host");
    expect([response.url, response.redirected]).toEqual([`${untrusted.url}/x`, true]);
    expect([haveDeadline(web), haveDeadline(untrusted)]).toEqual([[true], [false]]);
    const { authorization, cookie, "x-mine": mine } = untrusted.seen[0]!.req.headers;
    expect([authorization, cookie, mine]).toEqual([undefined, undefined, "stays"]);
  });

  test.each([
    [
      ["https", "http"],
      [true, false],
    ],
    [
      ["https", "http", "http"],
      [true, false, false],
    ],
    [
      ["https", "http", "https"],
      [true, false, true],
    ],
    [
      ["https", "https"],
      [true, true],
    ],
    [
      ["http", "https"],
      [true, true],
    ],
    [
      ["http", "http"],
      [true, true],
    ],
  ])(
    "on a trusted host over %j: whether each gets the deadline and the values is %j",
    async (schemes, expected) => {
      const seen: boolean[] = [];
      const send = wrapFetch({
        trusted: ["a.internal"],
        values: [[TraceParent, "traceparent"]],
        fetch(_: string, init?: RequestInit) {
          const headers = new Headers(init?.headers);
          seen.push(headers.has(HEADER) && headers.has("traceparent"));
          expect(headers.has(HEADER)).toBe(headers.has("traceparent"));
          const next = schemes[seen.length];
          if (next === undefined) return Promise.resolve(new Response("end"));
          const location = `${next}://a.internal/${seen.length}`;
          return Promise.resolve(new Response(null, { status: 307, headers: { location } }));
        },
      });
      using ctx = withTimeout(withValue(background(), TraceParent, "00-1-2-01"), 60_000);
      await send(ctx, `${schemes[0]}://a.internal/`);
      expect(seen).toEqual(expected);
    },
  );

  test("sends each trusted host the time that is left then", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    await using untrusted = await serve(redirectTo(() => `${web.url}/end`));
    await using web = await serve((res, req) => {
      clock.advance(100);
      if (req.url === "/end") res.end("ok");
      else redirectTo(() => untrusted.url)(res, req);
    });
    using ctx = withTimeout(background(), 1_000);
    await (await wrapFetch({ trusted: [web.host], margin: 0 })(ctx, web.url)).text();
    expect(web.seen.map(({ req }) => req.headers[HEADER])).toEqual(["1000", "900"]);
    expect(haveDeadline(untrusted)).toEqual([false]);
  });

  test("from an untrusted host is followed by the platform, which sends no deadline to a trusted host", async () => {
    await using web = await serve((res) => res.end("ok"));
    await using untrusted = await serve(redirectTo(() => web.url));
    using ctx = withTimeout(background(), 60_000);
    const response = await wrapFetch({ trusted: [web.host] })(ctx, untrusted.url);
    expect([await response.text(), response.redirected]).toEqual(["ok", true]);
    expect(haveDeadline(web)).toEqual([false]);
  });

  test.each([
    [301, "POST", "GET", ""],
    [302, "POST", "GET", ""],
    [303, "PUT", "GET", ""],
    [302, "PUT", "PUT", "body"],
    [307, "POST", "POST", "body"],
    [308, "POST", "POST", "body"],
  ])(
    "with status %d turns %s into %s with the body %j, as on the platform",
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
  ])("with a body that is %s rejects, as on the platform", async (_, init, message) => {
    await using web = await serve(redirectTo(() => "/end", 307));
    using ctx = withTimeout(background(), 60_000);
    const error = await rejection(wrapFetch({ trusted: [web.host] })(ctx, web.url, init));
    expect((error as Error).cause).toMatchObject({
      message: expect.stringContaining(message) as string,
    });
  });

  test.each([
    ["a Request object", (web: Web) => new Request(web.url), "a Request object cannot be sent"],
  ])("of %s rejects with a TypeError that says what to pass", async (_, input, message) => {
    await using web = await serve(redirectTo(() => "/end"));
    using ctx = withTimeout(background(), 60_000);
    const error = await rejection(wrapFetch({ trusted: [web.host] })(ctx, input(web)));
    expect((error as Error).message).toContain(message);
    expect(web.seen).toHaveLength(1);
  });

  test("in a circle, to an invalid URL or to another protocol rejects", async () => {
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

  test("is not followed if the caller has set another redirect mode", async () => {
    await using web = await serve(redirectTo(() => "/end"));
    using ctx = withTimeout(background(), 60_000);
    const send = wrapFetch({ trusted: [web.host] });
    const response = await send(ctx, web.url, { redirect: "manual" });
    expect([response.status, response.redirected]).toEqual([302, false]);
    expect(await rejection(send(ctx, web.url, { redirect: "error" }))).toBeInstanceOf(TypeError);
    expect(haveDeadline(web)).toEqual([true, true]);
  });

  test("without a Location is returned as the response", async () => {
    await using web = await serve((res) => res.writeHead(304).end());
    await using bare = await serve((res) => res.writeHead(301).end("nowhere"));
    using ctx = withTimeout(background(), 60_000);
    const send = wrapFetch({ trusted: [web.host, bare.host] });
    expect((await send(ctx, web.url)).status).toBe(304);
    expect(await (await send(ctx, bare.url)).text()).toBe("nowhere");
  });

  test("rejects with ctx.err() when ctx ends on a later hop", async () => {
    await using slow = await serve(() => undefined);
    await using web = await serve(redirectTo(() => slow.url));
    const ctx = withCancel(withTimeout(background(), 60_000));
    const waiting = rejection(wrapFetch({ trusted: [web.host] })(ctx, web.url));
    while (slow.seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    ctx.cancel();
    expect(await waiting).toBe(ctx.err());
  });

  test("is followed if its Location is written in UTF-8", async () => {
    await using web = await serve((res, req) => {
      if (req.url !== "/") res.end(req.url);
      else res.writeHead(302, { location: Buffer.from("/ä").toString("latin1") }).end();
    });
    using ctx = withTimeout(background(), 60_000);
    const response = await wrapFetch({ trusted: [web.host] })(ctx, web.url);
    expect(await response.text()).toBe("/%C3%A4");
  });
});

describe("a wrong option throws a TypeError that says what was passed and what to pass", () => {
  const HOSTS = 'pass a list of hosts, as in trusted: ["api.internal", ';
  const MILLISECONDS = "pass a finite number of milliseconds, from 0";
  const PAIRS =
    'pass a list of pairs of a key and a header, as in values: [[TraceParent, "traceparent"]]';
  const cases: [options: unknown, message: string][] = [
    [{ trusted: "host" }, `got the string "host" for the option trusted; ${HOSTS}`],
    [{ trusted: null }, `got null for the option trusted; ${HOSTS}`],
    [{ trusted: true }, `got boolean true for the option trusted; ${HOSTS}`],
    [{ trusted: [7] }, `got number 7 in the option trusted, which is not a host; ${HOSTS}`],
    [{ margin: Number.NaN }, `got number NaN for the option margin; ${MILLISECONDS}`],
    [{ margin: Infinity }, `got number Infinity for the option margin; ${MILLISECONDS}`],
    [{ minimum: -1 }, `got number -1 for the option minimum; ${MILLISECONDS}`],
    [{ minimum: "5" }, `got the string "5" for the option minimum; ${MILLISECONDS}`],
    [{ deadlineHeader: "a b" }, 'got the string "a b" for the option deadlineHeader, which is not'],
    [{ deadlineHeader: 5 }, "got number 5 for the option deadlineHeader, which is not the name"],
    [{ values: [[TraceParent, ""]] }, 'got the string "" for the option values, which is not the'],
    [{ values: [[TraceParent]] }, "got undefined for the option values, which is not the name"],
    [{ values: { TraceParent } }, `got an object of class Object for the option values; ${PAIRS}`],
    [{ values: [TraceParent] }, `got an object of class Object in the option values; ${PAIRS}`],
    [{ values: [["t", "t"]] }, `got the string "t" for a key in the option values; ${PAIRS}`],
    [
      { trust: ["host"] },
      'got the unknown option "trust"; its options are: trusted, deadlineHeader',
    ],
    ["host", 'takes its options in an object, got the string "host"; pass { trusted, '],
    [null, "takes its options in an object, got null; pass { trusted, "],
  ];
  const functions: Record<string, (options: never) => unknown> = {
    wrapFetch: (options) => wrapFetch(options),
    requestInit: (options) => requestInit(background(), "http://x/", options),
    contextInterceptor: (options) => contextInterceptor(background(), options),
  };
  for (const [name, call] of Object.entries(functions)) {
    test.each(cases)(`${name}: %j`, (options, message) => {
      const error = thrownBy(() => call(options as never));
      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toContain(`${name} ${message}`);
    });
  }

  test.each([
    ["a Headers object", new Headers({ accept: "*/*" }), "an object of class Headers"],
    ["a list of pairs", [["accept", "*/*"]], "an object of class Array"],
    ["a string", "accept: */*", 'the string "accept: */*"'],
  ])("requestInit: headers that are %s", (_, headers, got) => {
    const call = () => requestInit(background(), "http://x/", { headers: headers as never });
    expect(call).toThrow(`requestInit got ${got} for the option headers; pass an object`);
    expect(call).toThrow(TypeError);
  });

  test("wrapFetch: a fetch that is not a function", () => {
    const call = () => wrapFetch({ fetch: "no" as never });
    expect(call).toThrow(
      'wrapFetch got the string "no" for the option fetch; pass a function such as fetch',
    );
    expect(call).toThrow(TypeError);
  });

  test("requestInit and contextInterceptor: the option fetch", () => {
    const options = { fetch: globalThis.fetch } as object;
    expect(() => requestInit(background(), "http://x/", options)).toThrow(/unknown option "fetch"/);
    expect(() => contextInterceptor(background(), options)).toThrow(/unknown option "fetch"/);
  });

  test("requestInit: a URL that is not absolute", () => {
    expect(() => requestInit(background(), "/report")).toThrow("requestInit needs an absolute URL");
  });

  test("fetch: an init that is not an object", async () => {
    const error = await rejection(wrapFetch()(background(), "http://x/", "POST" as never));
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toContain(
      'takes init in an object, got the string "POST"; write fetch(ctx, url, {',
    );
  });
});

function thrownBy(fn: () => unknown): unknown {
  try {
    return fn();
  } catch (error) {
    return error;
  }
}
