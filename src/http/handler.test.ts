import type { IncomingMessage, ServerResponse } from "node:http";
import { describe, expect, test, vi } from "vitest";
import { serve, until, type Client } from "../../test/raw-http.ts";
import { failOnEscapes } from "../../test/support/escapes.ts";
import {
  all,
  background,
  cause,
  shield,
  sleep,
  withCancel,
  within,
  withTimeout,
  type Context,
} from "../index.ts";
import {
  ClientDisconnected,
  handler,
  LocalTimeout,
  RemoteDeadline,
  requestContext,
  RequestFinished,
  Shutdown,
  type HandlerOptions,
} from "./index.ts";

vi.setConfig({ testTimeout: 30_000 });

type Options = HandlerOptions<IncomingMessage, ServerResponse>;
type Fn = (ctx: Context, req: IncomingMessage, res: ServerResponse) => unknown;

// A late write must not crash the process, so no error may reach it.
const { errors: escaped, warnings } = failOnEscapes();

interface Seen {
  ctx: Context;
  res: ServerResponse;
}

/** Starts a server and a client that has sent a request. Records what happens in the handler. */
async function ask(fn: Fn, options: Options = {}, how: (client: Client) => void = (c) => c.get()) {
  const seen: Seen[] = [];
  const errors: { error: unknown; status: number }[] = [];
  const listener = handler(
    (ctx, req, res) => {
      seen.push({ ctx, res });
      return fn(ctx, req, res);
    },
    {
      onError: (_ctx, error, _req, res) => errors.push({ error, status: res.statusCode }),
      ...options,
    },
  );
  const server = await serve(listener);
  const client = await server.client();
  how(client);
  return Object.assign(server, { seen, errors, asked: client });
}

const secret = new Error("password=hunter2");
const failing: [string, Fn][] = [
  [
    "throws",
    () => {
      throw secret;
    },
  ],
  ["rejects", async () => Promise.reject(secret)],
  [
    "rejects later",
    async (ctx) => {
      await sleep(ctx, 5);
      throw secret;
    },
  ],
];

describe.each(failing)("a handler that %s", (_, fn) => {
  test("gets a 500 as its response, without the error's message", async () => {
    await using server = await ask((ctx, req, res) => {
      res.setHeader("content-length", "1000").setHeader("etag", "x").setHeader("x-trace", "t-1");
      return fn(ctx, req, res);
    });
    const text = await server.asked.answer();
    expect(text).toMatch(/^HTTP\/1.1 500 Internal Server Error\r\n/);
    expect(text).toMatch(/x-trace: t-1\r\n[^]*\r\n\r\nInternal Server Error\n$/);
    expect(text).not.toMatch(/hunter2|etag|retry-after/);
    expect(server.errors).toEqual([{ error: secret, status: 500 }]);
    await until(() => server.seen[0]!.ctx.err() !== undefined);
    expect(cause(server.seen[0]!.ctx)).toBeInstanceOf(RequestFinished);
    server.asked.get(); // the connection still works
    await server.asked.answer(2);
  });

  test("after a part of its response has its connection closed, and its error is the cause", async () => {
    await using server = await ask((ctx, req, res) => {
      res.write("a part");
      return fn(ctx, req, res);
    });
    await until(() => server.asked.ended);
    expect(server.asked.received).not.toMatch(/0\r\n\r\n$/); // the response must not look complete
    expect(cause(server.seen[0]!.ctx)).toBe(secret);
    expect(server.errors).toHaveLength(1);
  });

  test("after its response changes nothing for the client", async () => {
    await using server = await ask((ctx, req, res) => {
      res.end("ok");
      return fn(ctx, req, res);
    });
    expect(await server.asked.answer()).toMatch(/ 200 OK/);
    await until(() => server.errors.length === 1);
  });

  test("causes a process warning if there is no `onError`", async () => {
    await using server = await ask(fn, { onError: undefined } as unknown as Options);
    await server.asked.answer();
    await until(() => warnings.length === 1);
    const [warning] = warnings.splice(0);
    expect(warning).toMatchObject({ name: "HandlerError", code: "EIGHTYSIX_HANDLER_FAILED" });
    expect((warning as { detail?: string }).detail).toContain("hunter2");
  });
});

test("work that the end of the response stops causes no warning, also behind a shield", async () => {
  let stops = 0;
  const fn: Fn = async (ctx, _req, res) => {
    await shield(ctx, 60_000, () => undefined);
    res.end("paid");
    await sleep(ctx, Infinity).finally(() => stops++);
  };
  await using server = await ask(fn, { onError: undefined } as unknown as Options);
  expect(await server.asked.answer()).toMatch(/ 200 OK/);
  await until(() => stops === 1);
  await sleep(background(), 20); // time for a warning
});

test("a client that disconnects reaches `onError` with status 499, and causes no warning without it", async () => {
  await using server = await ask((ctx) => sleep(ctx, Infinity));
  await until(() => server.seen.length === 1);
  server.asked.leave("RST");
  await until(() => server.errors.length === 1);
  expect(server.errors[0]).toMatchObject({ error: server.seen[0]!.ctx.err(), status: 499 });
  await using silent = await ask((ctx) => sleep(ctx, Infinity), {
    onError: undefined,
  } as unknown as Options);
  await until(() => silent.seen.length === 1);
  silent.asked.leave("FIN");
  await until(() => silent.seen[0]!.ctx.err() !== undefined);
});

test("after a client has disconnected, any error of the handler means 499", async () => {
  await using server = await ask(async (ctx) => {
    await sleep(ctx, Infinity).catch(() => undefined);
    throw new TypeError("the driver did not expect that");
  });
  await until(() => server.seen.length === 1);
  server.asked.leave("RST");
  await until(() => server.errors.length === 1);
  expect(server.errors[0]?.status).toBe(499);
});

test("an inner deadline that the handler sets itself means 503", async () => {
  await using server = await ask((ctx) => within(ctx, 5, (inner) => sleep(inner, Infinity)));
  expect(await server.asked.answer()).toMatch(/ 503 Service Unavailable\r\n[^]*retry-after: 1\r\n/);
});

test("the error of one of several tasks reaches `onError` and means 500", async () => {
  await using server = await ask((ctx) =>
    all(ctx, [(ctx) => sleep(ctx, Infinity), () => Promise.reject(secret)]),
  );
  expect(await server.asked.answer()).toMatch(/ 500 /);
  expect(server.errors[0]?.error).toBe(secret);
});

test("a client gets a 503 if work that it shares ends because another client disconnected", async () => {
  const other = withCancel(background());
  other.cancel(new ClientDisconnected());
  await using server = await ask(async () => {
    throw other.err() ?? new Error("lives");
  });
  expect(await server.asked.answer()).toMatch(/ 503 /);
});

describe("a handler whose limit passes", () => {
  /** The limit passes after the handler has started, even on a busy machine. */
  async function askLimited(fn: Fn, how?: (client: Client) => void) {
    const parent = withCancel(background());
    const pass: Fn = (ctx, req, res) => {
      setImmediate(() => {
        parent.cancel(new LocalTimeout());
      });
      return fn(ctx, req, res);
    };
    return await ask(pass, { parent }, how);
  }

  test("and that stops with its context gets a 503 as its response", async () => {
    await using server = await askLimited((ctx) => sleep(ctx, Infinity));
    expect(await server.asked.answer()).toMatch(/ 503 Service Unavailable\r\n/);
    await until(() => server.errors.length === 1);
    expect(cause(server.seen[0]!.ctx)).toBeInstanceOf(LocalTimeout);
    expect(server.errors[0]?.status).toBe(503);
  });

  test("and that stops at once can respond by itself", async () => {
    await using server = await askLimited(async (ctx, _, res) => {
      await sleep(ctx, Infinity).catch(() => undefined);
      res.writeHead(200).end("what there is so far");
    });
    expect(await server.asked.answer()).toMatch(/ 200 OK[^]*so far/);
  });

  const writes: Record<string, (res: ServerResponse) => unknown> = {
    "writes a head": (res) => res.writeHead(200, { a: "b" }).end("late"),
    "sets headers": (res) => res.setHeader("a", "b").appendHeader("c", "d").removeHeader("a"),
    "writes parts": (res) => (res.write("late"), res.write("later"), res.end("at last")),
    "ends with a callback": (res) => res.end("late", () => undefined),
    "flushes and trails": (res) => {
      res.flushHeaders();
      res.addTrailers({ a: "b" });
    },
    "sends early hints": (res) => res.writeEarlyHints({ link: "</a.css>; rel=preload" }),
    destroys: (res) => res.destroy(),
  };
  for (const [what, write] of Object.entries(writes)) {
    test(`and that ignores it gets a 503 as its response, and does no harm when it later ${what}`, async () => {
      let late = false;
      await using server = await askLimited((_ctx, _req, res) => {
        const id = setInterval(() => {
          if (!res.headersSent) return;
          clearInterval(id);
          write(res); // in a callback that catches nothing
          setImmediate(() => setImmediate(() => (late = true)));
        });
      });
      expect(await server.asked.answer()).toMatch(/ 503 /);
      await until(() => late);
      expect(server.asked.received).not.toContain("late");
    });
  }

  test("and that writes in the same turn as the 503 does no harm", async () => {
    await using server = await askLimited((_ctx, _req, res) => {
      const end = res.end.bind(res);
      res.end = (...args: []) => {
        end(...args);
        res.end = end;
        process.nextTick(() => res.write("late"));
        queueMicrotask(() => res.writeHead(200).write("late"));
        return res;
      };
    });
    expect(await server.asked.answer()).toMatch(/ 503 [^]*\n$/);
    await until(() => server.seen[0]!.res.destroyed); // `closed` is not set in Deno
  });

  test("and that has begun its response can finish it", async () => {
    await using server = await askLimited(async (ctx, _req, res) => {
      res.write("a part");
      await sleep(ctx, Infinity).catch(() => undefined);
      await sleep(background(), 5);
      res.end("and the end");
    });
    await until(() => server.asked.received.endsWith("0\r\n\r\n"));
    expect(server.asked.received).toMatch(/ 200 OK[^]*and the end/);
  });

  test("is limited although the request's context was created earlier without the limit", async () => {
    const inner = handler((ctx) => sleep(ctx, Infinity), {
      timeout: 20,
    });
    await using server = await serve((req, res) => {
      requestContext(req);
      inner(req, res);
    });
    const client = await server.client();
    client.get();
    expect(await client.answer()).toMatch(/ 503 /);
  });

  test("has a timer only if it has not begun to respond by its first `await`", async () => {
    using set = vi.spyOn(globalThis, "setTimeout");
    const timers = (): number => set.mock.calls.filter(([, ms]) => ms! > 70_000).length;
    for (const [fn, expected] of [
      [(_ctx, _req, res) => res.end("at once"), 0],
      [(_ctx, _req, res) => setImmediate(() => res.end("a turn later")), 1],
    ] as [Fn, number][]) {
      await using server = await ask(fn, { timeout: 77_777 });
      expect(await server.asked.answer()).toMatch(/ 200 OK/);
      expect(timers()).toBe(expected);
    }
  });

  test("leaves a usable connection behind, even if a request body was unfinished", async () => {
    await using server = await askLimited(
      (ctx) => sleep(ctx, Infinity),
      (client) => client.post("body", 4),
    );
    await server.asked.answer();
    server.asked.socket.write("more");
    server.asked.get();
    await server.asked.answer(2);
    expect(server.asked.statuses).toEqual([503, 503]);
  });

  test("gets its 503 in turn if the request was pipelined, and does no harm until then", async () => {
    let first: ServerResponse | undefined;
    let late = false;
    const parent = withCancel(background());
    const second = handler(
      (_ctx, _req, res) => {
        const id = setInterval(() => {
          if (!res.headersSent) return;
          clearInterval(id);
          res.write("late");
          setImmediate(() => (late = true));
        });
      },
      { parent },
    );
    await using server = await serve((req, res) => {
      if (req.url === "/1") first = res;
      else second(req, res);
      if (req.url === "/2") setImmediate(() => parent.cancel(new LocalTimeout()));
    });
    const client = await server.client();
    client.get("/1");
    client.get("/2");
    await until(() => late);
    first?.end("ok");
    await client.answer(2);
    expect(client.statuses).toEqual([200, 503]);
    expect(client.received).not.toContain("late");
  });
});

test("the response to a HEAD request whose handler fails has no body", async () => {
  await using server = await ask(failing[0]![1], {}, (client) =>
    client.socket.write("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"),
  );
  await server.asked.answer();
  server.asked.get();
  await server.asked.answer(2);
  expect(server.asked.statuses).toEqual([500, 500]);
});

test("`onError` can respond by itself, and the handler waits for its promise", async () => {
  await using server = await ask(failing[0]![1], {
    onError: async (ctx, _error, _req, res) => {
      await sleep(ctx, 5);
      res.setHeader("content-type", "application/json").end(`{"status":${res.statusCode}}`);
    },
  });
  expect(await server.asked.answer()).toMatch(/ 500 [^]*{"status":500}$/);
});

test("an error of `onError` is an unhandled rejection, and the client still gets a response", async () => {
  const bug = new Error("in the logger");
  await using server = await ask(failing[0]![1], { onError: () => Promise.reject(bug) });
  expect(await server.asked.answer()).toMatch(/ 500 /);
  await until(() => escaped.length === 1);
  expect(escaped.splice(0)).toEqual([bug]);
});

describe("the option `parent`", () => {
  test("ends requests with 503 and Retry-After when it ends with Shutdown", async () => {
    for (const fn of [(ctx) => sleep(ctx, Infinity), () => undefined] as Fn[]) {
      const parent = withCancel(background());
      await using server = await ask(fn, { parent });
      await until(() => server.seen.length === 1);
      parent.cancel(new Shutdown());
      expect(await server.asked.answer()).toMatch(/ 503 [^]*retry-after: 1\r\n/);
    }
  });

  test("keeps the handler from starting if it is done already", async () => {
    const parent = withTimeout(background(), 0, { cause: new RemoteDeadline() });
    await using server = await ask(() => undefined, { parent });
    expect(await server.asked.answer()).toMatch(/ 504 Gateway Timeout/);
    expect(server.seen).toEqual([]);
  });
});

test("a handler does not start if the client has disconnected before", async () => {
  let ran = false;
  let decided = false;
  const inner = handler(() => (ran = true));
  await using server = await serve((req, res) => {
    req.socket.on("close", () => {
      inner(req, res);
      decided = true;
    });
  });
  const client = await server.client();
  client.get();
  await until(() => server.sockets.size === 1);
  client.leave("RST");
  await until(() => decided);
  expect(ran).toBe(false);
});

test("a timeout that is not a number of milliseconds is refused when the handler is created", () => {
  expect(() => handler(() => undefined, { timeout: Number.NaN })).toThrow(RangeError);
  expect(() => handler(() => undefined, { timeout: "1s" as unknown as number })).toThrow(TypeError);
});
