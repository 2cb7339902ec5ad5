import { once } from "node:events";
import {
  connect,
  constants,
  createSecureServer,
  createServer,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from "node:http2";
import { connect as connectTcp, type AddressInfo, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { describe, expect, test, vi } from "vitest";
import { until } from "../../../test/raw-http.ts";
import { certificate } from "../../../test/support/certificate.ts";
import { failOnEscapes } from "../../../test/support/escapes.ts";
import { afterFunc, cause, sleep, withCancel, background, type Context } from "../../index.ts";
import {
  ClientDisconnected,
  handler,
  LocalTimeout,
  RemoteDeadline,
  requestContext,
  RequestFinished,
  type HandlerOptions,
} from "../index.ts";

vi.setConfig({ testTimeout: 30_000 });

type Listener = (req: Http2ServerRequest, res: Http2ServerResponse) => void;

// Node warns about HTTP/1 features that HTTP/2 lacks. This package must not cause such a warning.
failOnEscapes();

const tls = certificate();
/** The real sockets. `session.socket` is a proxy that allows little. */
const sockets = new WeakMap<object, Socket>();

describe.each(["TLS", "clear text"])("HTTP/2 over %s:", (over) => {
  const secure = over === "TLS";
  const it = test.skipIf(secure && tls === undefined);

  async function start(listener: Listener) {
    const server = secure
      ? createSecureServer({ ...tls, allowHTTP1: true }, listener as never)
      : createServer(listener);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const sessions: ClientHttp2Session[] = [];
    return {
      async session() {
        const url = `${secure ? "https" : "http"}://127.0.0.1:${port}`;
        const at = { port, host: "127.0.0.1" };
        const socket = secure
          ? connectTls({ ...at, rejectUnauthorized: false, ALPNProtocols: ["h2"] })
          : connectTcp(at);
        const session = connect(url, { createConnection: () => socket });
        sockets.set(session, socket);
        session.on("error", () => undefined);
        sessions.push(session);
        await once(session, "connect");
        return session;
      },
      async [Symbol.asyncDispose]() {
        for (const session of sessions) session.destroy();
        server.close();
        await once(server, "close");
      },
    };
  }

  /** Starts a server that creates the context of each request and then calls `listener`. */
  async function serveContexts(listener: Listener = () => undefined) {
    const seen: Context[] = [];
    const server = await start((req, res) => {
      seen.push(requestContext(req));
      listener(req, res);
    });
    return Object.assign(server, { seen });
  }

  function ask(session: ClientHttp2Session, headers: object = {}, body?: string) {
    const stream: ClientHttp2Stream = session.request(
      { ":path": "/", ":method": body === undefined ? "GET" : "POST", ...headers },
      { endStream: body === undefined },
    );
    if (body !== undefined) stream.write(body);
    const reply = { stream, status: 0, text: "", headers: {} as object, code: -1 };
    stream.on("response", (headers) => {
      reply.status = Number(headers[":status"]);
      reply.headers = headers;
    });
    stream.on("error", () => undefined);
    stream.on("close", () => (reply.code = stream.rstCode));
    return reply;
  }
  function read(reply: ReturnType<typeof ask>) {
    reply.stream.on("data", (chunk) => (reply.text += String(chunk)));
    return reply;
  }

  const isDone = (ctx: Context): boolean => ctx.err() !== undefined;
  const begin: Record<string, Listener> = {
    "that waits": () => undefined,
    "that has read the body": (req) => req.resume(),
    "that streams": (_, res) => res.write("a part"),
  };
  const leave: Record<string, (reply: ReturnType<typeof ask>) => void> = {
    "RST_STREAM CANCEL": ({ stream }) => stream.close(constants.NGHTTP2_CANCEL),
    "RST_STREAM NO_ERROR": ({ stream }) => stream.close(constants.NGHTTP2_NO_ERROR),
    "the end of its session": ({ stream }) => stream.session?.destroy(),
    "the loss of its connection": ({ stream }) => sockets.get(stream.session!)?.destroy(),
  };
  for (const [how, go] of Object.entries(leave)) {
    for (const [what, listener] of Object.entries(begin)) {
      for (const body of [undefined, "body"]) {
        const method = body === undefined ? "GET" : "POST";
        it(`the context of a ${method} to a handler ${what} ends when the client leaves by ${how}`, async () => {
          await using server = await serveContexts(listener);
          const reply = ask(await server.session(), {}, body);
          await until(() => server.seen.length === 1);
          expect(server.seen.some(isDone)).toBe(false);
          go(reply);
          await until(() => server.seen.every(isDone));
          expect(cause(server.seen[0]!)).toBeInstanceOf(ClientDisconnected);
        });
      }
    }
  }

  it("the context finishes with its response, and other requests of the session go on", async () => {
    await using server = await serveContexts((req, res) => {
      if (req.url === "/now") res.end("ok");
    });
    const session = await server.session();
    const [waits, leaves] = [ask(session), ask(session)];
    await until(() => server.seen.length === 2);
    const now = read(ask(session, { ":path": "/now" }));
    await until(() => now.code === 0 && isDone(server.seen[2]!));
    expect(cause(server.seen[2]!)).toBeInstanceOf(RequestFinished);
    leaves.stream.close(constants.NGHTTP2_CANCEL);
    await until(() => isDone(server.seen[1]!));
    expect(cause(server.seen[1]!)).toBeInstanceOf(ClientDisconnected);
    expect([isDone(server.seen[0]!), waits.code]).toEqual([false, -1]);
  });

  it("the context of a request whose body is not read finishes with its response", async () => {
    await using server = await serveContexts((_, res) => res.end("ok"));
    const reply = read(ask(await server.session(), {}, "body"));
    await until(() => reply.text === "ok");
    reply.stream.end();
    await until(() => server.seen.every(isDone));
    expect(cause(server.seen[0]!)).toBeInstanceOf(RequestFinished);
  });

  it("the context of a large response is canceled if the client resets the stream on its way", async () => {
    await using server = await serveContexts((_, res) => res.end(Buffer.alloc(16 << 20)));
    const reply = ask(await server.session()); // the client does not read it
    await until(() => reply.status === 200);
    expect(isDone(server.seen[0]!)).toBe(false);
    reply.stream.close(constants.NGHTTP2_CANCEL);
    await until(() => isDone(server.seen[0]!));
    expect(cause(server.seen[0]!)).toBeInstanceOf(ClientDisconnected);
  });

  it("the context of a large response to a slow client finishes when the whole response was handed over", async () => {
    await using server = await serveContexts((_, res) => res.end(Buffer.alloc(4 << 20)));
    const reply = ask(await server.session());
    await until(() => reply.status === 200);
    reply.stream.resume();
    await until(() => isDone(server.seen[0]!));
    expect(cause(server.seen[0]!)).toBeInstanceOf(RequestFinished);
  });

  it("`requestContext`, called late, says whether the request finished or the client disconnected", async () => {
    const seen: { req: Http2ServerRequest; closed: boolean }[] = [];
    await using server = await start((req, res) => {
      const one = { req, closed: false };
      seen.push(one);
      req.stream.on("close", () => (one.closed = true));
      if (req.url === "/now") res.end("ok");
    });
    const session = await server.session();
    read(ask(session, { ":path": "/now" }));
    ask(session).stream.on("ready", () => undefined);
    await until(() => seen.length === 2 && seen[0]!.closed);
    session.destroy();
    await until(() => seen[1]!.closed);
    const [finished, gone] = seen.map(({ req }) => cause(requestContext(req)));
    expect(finished).toBeInstanceOf(RequestFinished);
    expect(gone).toBeInstanceOf(ClientDisconnected);
  });

  describe("a handler", () => {
    type Options = HandlerOptions<Http2ServerRequest, Http2ServerResponse>;
    type Fn = (ctx: Context, req: Http2ServerRequest, res: Http2ServerResponse) => unknown;
    async function handled(fn: Fn, options: Options = {}) {
      const seen: { ctx: Context; res: Http2ServerResponse }[] = [];
      const errors: unknown[] = [];
      const listener = handler<Http2ServerRequest, Http2ServerResponse>(
        (ctx, req, res) => {
          seen.push({ ctx, res });
          return fn(ctx, req, res);
        },
        { onError: (_, error, __, res) => errors.push([error, res.statusCode]), ...options },
      );
      return Object.assign(await start(listener), { seen, errors });
    }
    const secret = new Error("password=hunter2");

    it("that fails gets a 500 as its response, without the error's message", async () => {
      await using server = await handled(async (_ctx, _req, res) => {
        res.setHeader("etag", "x");
        throw secret;
      });
      const reply = read(ask(await server.session()));
      await until(() => reply.code === 0);
      expect(reply).toMatchObject({ status: 500, text: "Internal Server Error\n" });
      expect(reply.headers).not.toHaveProperty("etag");
      expect(server.errors).toEqual([[secret, 500]]);
    });

    it("that fails after a part of its response has its stream reset, and no other stream", async () => {
      await using server = await handled(async (ctx, req, res) => {
        res.write("a part");
        if (req.url === "/") throw secret;
        await sleep(ctx, Infinity);
      });
      const session = await server.session();
      const other = read(ask(session, { ":path": "/other" }));
      await until(() => other.status === 200);
      const reply = read(ask(session));
      await until(() => reply.code !== -1);
      expect(reply.code).toBe(constants.NGHTTP2_INTERNAL_ERROR); // the response must not look complete
      expect(cause(server.seen[1]!.ctx)).toBe(secret);
      expect(other.code).toBe(-1);
    });

    it("has `onError` called with status 499 when the client disconnects", async () => {
      await using server = await handled((ctx) => sleep(ctx, Infinity));
      const reply = ask(await server.session());
      await until(() => server.seen.length === 1);
      reply.stream.close(constants.NGHTTP2_CANCEL);
      await until(() => server.errors.length === 1);
      expect(server.errors).toEqual([[server.seen[0]!.ctx.err(), 499]]);
    });

    it("has a context that ends with the caller's deadline", async () => {
      await using server = await handled((ctx) => sleep(ctx, Infinity), {
        deadline: { headers: ["grpc-timeout"] },
      });
      const reply = read(ask(await server.session(), { "grpc-timeout": "20m" }));
      await until(() => reply.status === 504);
      expect(cause(server.seen[0]!.ctx)).toBeInstanceOf(RemoteDeadline);
    });

    const writes: Record<string, (res: Http2ServerResponse) => unknown> = {
      "writes a head": (res) => res.writeHead(200, { a: "b" }).end("late"),
      "sets headers": (res) => {
        res.setHeader("a", "b");
        res.removeHeader("a");
      },
      "sets a status": (res) => (res.statusCode = 200),
      "writes parts": (res) => (res.write("late"), res.write("later"), res.end("at last")),
      "ends with a callback": (res) => res.end("late", () => undefined),
      destroys: (res) => res.destroy(),
    };
    for (const [what, write] of Object.entries(writes)) {
      it(`that is late gets a 503 as its response, and does no harm when it ${what}`, async () => {
        const parent = withCancel(background());
        let late = false;
        await using server = await handled(
          (_ctx, _req, res) => {
            setImmediate(() => {
              parent.cancel(new LocalTimeout());
            });
            const id = setInterval(() => {
              if (!res.headersSent) return;
              clearInterval(id);
              write(res); // in a callback that catches nothing
              setImmediate(() => setImmediate(() => (late = true)));
            });
          },
          { parent },
        );
        const reply = read(ask(await server.session()));
        await until(() => reply.code !== -1 && late);
        expect(reply).toMatchObject({ status: 503, text: "Service Unavailable\n", code: 0 });
      });
    }

    it("that writes in the same turn as the 503 does no harm", async () => {
      const parent = withCancel(background());
      await using server = await handled(
        (ctx, _req, res) => {
          setImmediate(() => {
            parent.cancel(new LocalTimeout());
          });
          afterFunc(ctx, () =>
            setImmediate(() =>
              setImmediate(() => {
                res.write("late");
                res.setHeader("a", "b");
              }),
            ),
          );
          const end = res.end.bind(res);
          res.end = (...args: []) => {
            end(...args);
            res.end = end;
            process.nextTick(() => res.write("late"));
            queueMicrotask(() => res.writeHead(200).write("late"));
            return res;
          };
        },
        { parent },
      );
      const reply = read(ask(await server.session()));
      await until(() => reply.code !== -1);
      expect(reply).toMatchObject({ status: 503, text: "Service Unavailable\n", code: 0 });
    });
  });
});
