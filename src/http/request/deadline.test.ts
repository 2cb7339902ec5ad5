import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { serve, until } from "../../../test/raw-http.ts";
import { wrapFetch } from "../../fetch/index.ts";
import { background, cause, remaining, sleep, withTimeout, type Context } from "../../index.ts";
import { readDeadline } from "./deadline.ts";
import {
  handler,
  LocalTimeout,
  MalformedDeadline,
  RemoteDeadline,
  requestContext,
  type HandlerOptions,
  type RemoteDeadlineOptions,
} from "../index.ts";
import { withLimits } from "./limits.ts";
import type { RequestLike } from "../types.ts";

vi.setConfig({ testTimeout: 30_000 });

type Options = HandlerOptions<IncomingMessage, ServerResponse>;

/** Sends a request with these header lines to a real server, and returns what happened there. */
async function ask(
  lines: string,
  options: Options,
  before: (req: IncomingMessage) => void = () => {},
) {
  const seen: Context[] = [];
  const listen = handler(
    async (ctx: Context, _req: IncomingMessage, res: ServerResponse) => {
      seen.push(ctx);
      if (ctx.deadline() !== undefined) await sleep(ctx, Infinity);
      res.end("no deadline");
    },
    { onError: () => {}, ...options },
  );
  await using server = await serve((req, res) => {
    before(req);
    listen(req, res);
  });
  const client = await server.client();
  client.socket.write(`GET / HTTP/1.1\r\nHost: x\r\n${lines}\r\n`);
  await client.answer();
  const [ctx] = seen;
  if (ctx) await until(() => ctx.err() !== undefined);
  return { status: client.statuses[0], ran: seen.length, cause: ctx && cause(ctx) };
}

const in20 = "X-Request-Timeout-Ms: 20\r\n";

test("the caller's deadline ends the request with 504", async () => {
  expect(await ask(in20, { deadline: true })).toEqual({
    ...{ status: 504, ran: 1, cause: expect.any(RemoteDeadline) as unknown },
  });
});

test("a deadline header does not count unless the option `deadline` is set", async () => {
  for (const options of [{}, { deadline: false }]) {
    expect(await ask(in20, options)).toMatchObject({ status: 200 });
  }
});

test("a deadline of zero gets a 504, and the handler does not run", async () => {
  for (const text of ["0", "0000000000"]) {
    const seen = await ask(`x-request-timeout-ms: ${text}\r\n`, { deadline: true });
    expect(seen).toMatchObject({ status: 504, ran: 0 });
  }
});

test("the caller's deadline can only shorten the server's own limit, which means 503", async () => {
  for (const remote of ["21", "20", "9999999999"]) {
    const seen = await ask(`x-request-timeout-ms: ${remote}\r\n`, { timeout: 20, deadline: true });
    expect(seen).toEqual({ status: 503, ran: 1, cause: expect.any(LocalTimeout) as unknown });
  }
  const seen = await ask(in20, { timeout: 60_000, deadline: true });
  expect(seen).toMatchObject({ status: 504 });
});

test("a deadline header counts only if `trust` returns true for its request", async () => {
  const deadline = { trust: (req: IncomingMessage) => req.headers["x-ours"] === "yes" };
  expect(await ask(in20, { deadline })).toMatchObject({ status: 200 });
  expect(await ask(`${in20}x-ours: yes\r\n`, { deadline })).toMatchObject({ status: 504 });
  expect(await ask("", { deadline: { trust: () => expect.unreachable() } })).toMatchObject({
    status: 200, // `trust` is not called for a request without a deadline header
  });
});

test("the caller's deadline ends a handler whose context was created earlier without it", async () => {
  expect(await ask(in20, { deadline: true }, (req) => requestContext(req))).toMatchObject({
    status: 504,
  });
});

test.each(["x-request-timeout-ms", "grpc-timeout", "x-envoy-expected-rq-timeout-ms"] as const)(
  "the header %s that `eightysix/fetch` sends is read here",
  async (deadlineHeader) => {
    let left = NaN;
    const listen = handler(
      (ctx, _req, res) => {
        left = remaining(ctx);
        res.end();
      },
      { deadline: { headers: [deadlineHeader], strict: true } },
    );
    const server = createServer(listen).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const ask = wrapFetch({ trusted: ["127.0.0.1"], deadlineHeader });
    using ctx = withTimeout(background(), 50_000);
    const response = await ask(ctx, `http://127.0.0.1:${port}/`);
    await response.text();
    expect(left).toBeLessThan(50_000);
    expect(left).toBeGreaterThan(20_000);
    server.closeAllConnections();
    server.close();
  },
);

describe("a malformed header", () => {
  const lines = "x-request-timeout-ms: soon\r\n";

  test("is ignored, and published on a diagnostics channel", async () => {
    const seen: unknown[] = [];
    const see = (message: unknown) => seen.push(message);
    subscribe("eightysix:http.deadline.malformed", see);
    try {
      expect(await ask(lines, { deadline: true })).toMatchObject({ status: 200 });
    } finally {
      unsubscribe("eightysix:http.deadline.malformed", see);
    }
    expect(seen).toEqual([
      { request: expect.anything() as unknown, name: "x-request-timeout-ms", value: "soon" },
    ]);
  });

  test("is refused with 400 if `strict` is set, and the handler does not run", async () => {
    const seen = await ask(lines, { timeout: 1_000, deadline: { strict: true } });
    expect(seen).toMatchObject({ status: 400, ran: 0 });
    let ctx: Context | undefined;
    await ask(lines, { deadline: { strict: true } }, (req) => {
      ctx = requestContext(req, { deadline: { strict: true } });
    });
    expect(cause(ctx!)).toBeInstanceOf(MalformedDeadline);
  });

  test("is also a header that occurs twice", async () => {
    const options = { deadline: { strict: true } };
    expect(await ask(in20 + in20, options)).toMatchObject({ status: 400 });
  });
});

/** Reads the deadline of a request that has only headers. */
const read = (headers: RequestLike["headers"], options: RemoteDeadlineOptions<never> = {}) =>
  readDeadline({ headers } as RequestLike, { strict: true, ...options });

test.each<[header: string, text: string, ms: number | "malformed"]>([
  ["x-request-timeout-ms", "250", 250],
  ["x-request-timeout-ms", "9999999999", 2 ** 31 - 1], // setTimeout takes a longer duration for 1 ms
  ["x-request-timeout-ms", "20, 20", "malformed"], // Node joins two headers like this
  ["x-request-timeout-ms", "3S", "malformed"],
  ["connect-timeout-ms", "5", 5],
  ["x-envoy-expected-rq-timeout-ms", "15", 15],
  ["grpc-timeout", "3S", 3_000],
  ["grpc-timeout", "5u", 0.005],
  ["grpc-timeout", "5", "malformed"],
])("the header %s with the text %j is read in its own grammar", (header, text, ms) => {
  expect(read({ [header]: text }, { headers: [header as "grpc-timeout"] })).toBe(ms);
});

test("the earliest deadline of several headers counts", () => {
  const headers = ["grpc-timeout", "x-envoy-expected-rq-timeout-ms"] as const;
  const both = { "grpc-timeout": "1S", "x-envoy-expected-rq-timeout-ms": "700" };
  expect(read(both, { headers })).toBe(700);
  expect(read({ "grpc-timeout": "1S" }, { headers })).toBe(1_000);
  expect(read({ ...both, "grpc-timeout": "x" }, { headers, strict: false })).toBe(700);
});

test("the result of a custom `parse` is kept between 0 and 2³¹−1", () => {
  const parse = (text: string) => (text === "" ? undefined : Number(text));
  const options = { headers: [{ name: "Context-TTL-Ms", parse }] };
  const values = ["7", "-7", "1e99", "Infinity", "x", ""];
  expect(values.map((value) => read({ "context-ttl-ms": value }, options))).toEqual([
    ...[7, 0, 2 ** 31 - 1, 2 ** 31 - 1, "malformed", "malformed"],
  ]);
});

test("an unknown name in `deadline.headers` is refused when the handler is created", () => {
  const deadline = { headers: ["x-timeout" as "grpc-timeout"] };
  expect(() => handler(() => {}, { deadline })).toThrow(/no header "x-timeout"; pass one of x-req/);
  const inherited = { headers: ["toString" as "grpc-timeout"] };
  expect(() => handler(() => {}, { deadline: inherited })).toThrow(TypeError);
});

test("no header text makes `readDeadline` throw or lengthens the server's own limit", () => {
  const names = ["x-request-timeout-ms", "grpc-timeout", "connect-timeout-ms"] as const;
  const nearly = fc
    .tuple(
      fc.constantFrom("", "-", "+", "0x", " "),
      fc.bigInt(),
      fc.constantFrom("", ...["H", "M", "S", "m", "u", "n", "s", "e", ".", " "]),
    )
    .map(([sign, digits, unit]) => `${sign}${digits}${unit}`);
  const text = fc.oneof(nearly, fc.string(), fc.string({ unit: "binary" }));
  const value = fc.oneof(text, fc.array(text, { maxLength: 3 }), fc.constant(undefined));
  const all = fc.record(Object.fromEntries(names.map((name) => [name, value])));
  fc.assert(
    fc.property(all, fc.boolean(), fc.option(fc.nat(2 ** 32)), (headers, strict, own) => {
      const req = { headers } as unknown as RequestLike;
      const ms = readDeadline(req, { headers: names, strict });
      if (typeof ms === "number") expect(ms >= 0 && ms <= 2 ** 31 - 1).toBe(true);
      const limits = {
        deadline: { headers: names, strict },
        ...(own !== null && { timeout: own }),
      };
      const ctx = withLimits(background(), req, limits);
      if (ctx !== undefined) expect(remaining(ctx)).toBeLessThanOrEqual(own ?? 2 ** 31 - 1);
      ctx?.cancel();
    }),
    { numRuns: 2_000 },
  );
});
