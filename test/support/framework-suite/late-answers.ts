/** What goes out when a request is answered although its handler still runs, with other middleware. */
import { gunzipSync } from "node:zlib";
import compression from "compression";
import session from "express-session";
import { expect, test } from "vitest";
import { background, sleep, withCancel } from "../../../src/index.ts";
import { LocalTimeout } from "../../../src/http/index.ts";
import { until } from "../../raw-http.ts";
import type { Transport, Visitor } from "../transports/index.ts";
import {
  asker,
  gate,
  type FrameworkUnderTest,
  type Gate,
  type HandlerReply,
  type Setting,
  type Work,
} from "./under-test.ts";

type Outside = NonNullable<Setting["outside"]>;
export type Held = {
  readonly outside: Outside;
  readonly begun: Gate;
  readonly release: () => void;
};
type Res = NonNullable<HandlerReply["res"]>;
type Ending = { end: (...args: unknown[]) => unknown };

/** express-session sends all but the last byte of an answer, and that one when its store has saved. */
export function slowSession(): Held {
  const [begun, released] = [gate(), gate()];
  const store = new session.MemoryStore();
  const set = store.set.bind(store);
  store.set = (id, data, done) => {
    begun.open();
    void released.opened.then(() => set(id, data, done));
  };
  const options = { store, secret: "x", resave: true, saveUninitialized: true };
  return { outside: session(options) as never, begun, release: released.open };
}

/** Middleware that calls `end` later, as it was called. */
export function holdsAll(change = (args: unknown[]) => args): Held {
  const [begun, released] = [gate(), gate()];
  const outside = (_req: unknown, res: Res, next: () => void) => {
    const ending = res as Ending;
    const end = ending.end.bind(res);
    ending.end = (...args) => {
      begun.open();
      void released.opened.then(() => end(...change(args)));
      return res;
    };
    next();
  };
  return { outside: outside, begun, release: released.open };
}

/** Middleware that calls its own `end` again when it is ready. */
function callsAgain(): Held {
  const [begun, released] = [gate(), gate()];
  let isReady = false;
  const outside = (_req: unknown, res: Res, next: () => void) => {
    const ending = res as Ending;
    const end = ending.end.bind(res);
    ending.end = (...args) => {
      if (isReady) return end(...args);
      begun.open();
      void released.opened.then(() => {
        isReady = true;
        ending.end(...args);
      });
      return res;
    };
    next();
  };
  return { outside: outside, begun, release: released.open };
}

const evil = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nEVIL!";

/** What a handler that does not look at its context may still do. */
const deeds: Record<string, (res: Res) => unknown> = {
  writes: (res) => res.write(evil),
  "writes a head": (res) => res.writeHead(200, { "x-evil": "EVIL!" }).write(evil),
  "sets headers": (res) => {
    res.statusCode = 200;
    res.setHeader("x-evil", "EVIL!");
    res.setHeader("content-length", "5");
    res.removeHeader("content-type");
    res.flushHeaders();
  },
  ends: (res) => res.end(evil),
  "adds trailers": (res) => res.addTrailers({ "x-evil": "EVIL!" }),
  "sends 100 Continue": (res) => res.writeContinue(),
  "sends early hints": (res) => res.writeEarlyHints({ link: "</EVIL!>; rel=preload" }),
  "destroys the response": (res) => res.destroy(),
  "destroys the request": (res) => res.req.destroy(),
};

export function lateAnswers(framework: FrameworkUnderTest, transport: Transport): void {
  const ask = asker(framework, transport);

  /** The limit passes after `work` has run to its first `await`. */
  async function askLimited(
    work: Work,
    setting: Setting = {},
    how: (visitor: Visitor) => void = (visitor) => visitor.get(),
  ) {
    const parent = withCancel(background());
    const limited: Work = (ctx, body, reply) => {
      setImmediate(() => parent.cancel(new LocalTimeout()));
      return work(ctx, body, reply);
    };
    return await ask(limited, { parent, ...setting }, how);
  }

  const stale: Record<string, string> = {
    trailer: "x-checksum",
    "content-disposition": 'attachment; filename="a.csv"',
    "content-encoding": "gzip",
    "content-language": "de",
    "accept-ranges": "bytes",
    etag: '"1"',
    "last-modified": "Sat, 28 Nov 2026 00:00:00 GMT",
    expires: "Sat, 28 Nov 2036 00:00:00 GMT",
    "surrogate-control": "max-age=600",
    "surrogate-key": "a b",
    "cdn-cache-control": "max-age=600",
    "cloudflare-cdn-cache-control": "max-age=600",
    "x-accel-redirect": "/files/a.csv",
    "x-sendfile": "/files/a.csv",
    location: "/elsewhere",
  };
  const describesItsBody = ({ header }: HandlerReply): void => {
    header?.("cache-control", "public, max-age=600");
    header?.("content-type", "text/csv");
    for (const [name, value] of Object.entries(stale)) header?.(name, value);
  };
  test.each<[string, (ctx: Parameters<Work>[0], released: Gate) => Promise<unknown>]>([
    ["goes on", (_, { opened }) => opened],
    ["stops a little later", (ctx) => sleep(ctx, Infinity)],
  ])("has no header of the body that it replaces, if the handler %s", async (_, then) => {
    const released = gate();
    await using server = await askLimited(async (ctx, __, reply) => {
      describesItsBody(reply);
      await then(ctx, released);
      return "late";
    });
    const { status, headers } = await server.asked.whole();
    released.open();
    expect([status, headers["cache-control"]]).toEqual([503, "no-store"]);
    expect(headers["content-type"]).not.toContain("csv");
    expect(Object.keys(headers).filter((name) => headers[name] === stale[name])).toEqual([]);
  });

  test.each([
    ["announced no encoding", {}],
    ["announced chunks", { "transfer-encoding": "chunked" }],
  ])("is compressed, on a connection that stays, if the handler %s", async (_, its) => {
    const released = gate();
    const outside = compression({ threshold: 0 }) as never;
    const how = (visitor: Visitor) => visitor.get({ "accept-encoding": "gzip" });
    const work: Work = async (_ctx, _body, { header }) => {
      if (!transport.http2) for (const [name, value] of Object.entries(its)) header?.(name, value);
      await released.opened;
      return "late";
    };
    await using server = await askLimited(work, { outside }, how);
    const { status, headers, body } = await server.asked.whole();
    expect([status, headers["content-encoding"]]).toEqual([503, "gzip"]);
    expect(headers["connection"]).not.toBe("close");
    if (!transport.http2) {
      expect(headers["transfer-encoding"]).toBe("chunked");
      expect(String(gunzipSync(Buffer.from(body, "latin1")))).toContain("Service Unavailable");
    }
    released.open();
    how(server.asked);
    await server.asked.whole(2);
    expect(server.connections.size).toBe(1);
  });

  if (framework.hasResponse === false) return;

  const holders: [string, () => Held][] = [
    ["the store of express-session is slow", slowSession],
    ["other middleware holds the answer back", () => holdsAll()],
    ["other middleware calls `end` again", callsAgain],
  ];
  // Over HTTP/2, `end` with another body calls `write`, which is the handler's by then. If the
  // framework writes the head, middleware that changes the body has to change the head, too.
  if (!transport.http2 && framework.writesHead !== true) {
    test("has the right length if other middleware changes its body later", async () => {
      const change = ([body]: unknown[]) => [`<${String(body).trim()}, but longer>`];
      const { outside, begun, release } = holdsAll(change);
      const work: Work = async () => (await begun.opened, release(), "late");
      await using server = await askLimited(work, { outside });
      expect((await server.asked.whole()).body).toMatch(
        /<[^]*Service Unavailable[^]*, but longer>$/,
      );
      server.asked.get();
      await server.asked.whole(2);
      expect(server.connections.size).toBe(1);
    });
  }

  for (const [why, hold] of holders) {
    // express-session calls `res._implicitHeader`, which HTTP/2 does not have.
    if (transport.http2 && hold === slowSession) continue;

    for (const [what, deed] of Object.entries(deeds)) {
      test(`is all that goes out while ${why} and the handler ${what}`, async () => {
        const { outside, begun, release } = hold();
        const work: Work = async (_ctx, _body, { res }) => {
          await begun.opened;
          server.asked.get(); // in HTTP/1.1, pipelined
          deed(res as Res); // in a handler that catches nothing
          await new Promise((resolve) => setTimeout(resolve, 10));
          release();
          return "late";
        };
        await using server = await askLimited(work, { outside });
        await server.asked.whole(2);
        await until(() => server.logged.length === 2);
        expect(server.asked.replies).toHaveLength(2);
        expect(JSON.stringify(server.asked.replies)).not.toContain("EVIL");
        expect(server.asked.replies[0]).toMatchObject({ status: 503, cut: false });
        expect(server.asked.replies[0]?.body).toContain("Service Unavailable");
        expect(server.logged[0]).toBe(503);
        expect(server.connections.size).toBe(1);
      });
    }

    test(`arrives whole if the handler fails while ${why}`, async () => {
      const { outside, begun, release } = hold();
      const work: Work = async () => {
        await begun.opened;
        setTimeout(release, 20);
        throw new Error("a bug");
      };
      await using server = await askLimited(work, { outside });
      const { status, body } = await server.asked.whole();
      expect([status, body]).toEqual([503, expect.stringContaining("Service Unavailable")]);
      server.asked.get();
      await server.asked.whole(2);
      expect(server.connections.size).toBe(1);
    });
  }
}
