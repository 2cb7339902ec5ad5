import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { describe, expect, test, vi } from "vitest";
import { Client, until } from "../../../test/raw-http.ts";
import { cause, type Context } from "../../index.ts";
import { ClientDisconnected, requestContext, RequestFinished } from "../index.ts";

vi.setConfig({ testTimeout: 30_000 });

type Upgraded = (req: IncomingMessage, socket: Socket) => void;

async function start(prepare: (server: ReturnType<typeof createServer>) => unknown) {
  const server = createServer();
  prepare(server);
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    sockets,
    async client() {
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
      await once(socket, "connect");
      return new Client(socket);
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

const isDone = (ctx: Context | undefined): boolean => ctx?.err() !== undefined;
const heads = {
  upgrade: "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
  connect: "CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n",
};

describe.each(["upgrade", "connect"] as const)("a connection that left HTTP by %s", (event) => {
  async function upgraded(listener: Upgraded = () => undefined) {
    const seen: { req: IncomingMessage; socket: Socket; closed: boolean }[] = [];
    const server = await start((server) =>
      server.on(event, (req: IncomingMessage, socket: Socket) => {
        const one = { req, socket, closed: false };
        seen.push(one);
        socket.on("error", () => undefined).on("close", () => (one.closed = true));
        socket.write("HTTP/1.1 101 Hello\r\n\r\n");
        listener(req, socket);
      }),
    );
    const client = await server.client();
    client.socket.write(heads[event]);
    await client.answer();
    return Object.assign(server, { ...seen[0]!, one: seen[0]!, asking: client });
  }

  test.each(["FIN", "RST", "half-close"] as const)(
    "has a context that is canceled when the client leaves by %s",
    async (how) => {
      let heard = "";
      await using server = await upgraded((_, socket) => {
        socket.on("data", (chunk) => (heard += String(chunk)));
      });
      const ctx = requestContext(server.req);
      expect(requestContext(server.req)).toBe(ctx);
      server.asking.socket.write("hello");
      await until(() => heard === "hello");
      expect(isDone(ctx)).toBe(false);
      server.asking.leave(how);
      await until(() => isDone(ctx));
      expect(cause(ctx)).toBeInstanceOf(ClientDisconnected);
    },
  );

  test("has a context that finishes if this side ended the connection first", async () => {
    await using server = await upgraded((_, socket) => socket.resume());
    const ctx = requestContext(server.req);
    server.socket.end("bye");
    await until(() => server.asking.ended);
    expect(isDone(ctx)).toBe(false); // the client may still send data
    server.asking.leave("half-close");
    await until(() => isDone(ctx));
    expect(cause(ctx)).toBeInstanceOf(RequestFinished);
  });

  test("has a canceled context if `requestContext` is called after the client left", async () => {
    await using server = await upgraded((_, socket) => socket.resume());
    server.asking.leave("RST");
    await until(() => server.one.closed);
    expect(cause(requestContext(server.req))).toBeInstanceOf(ClientDisconnected);
    await using half = await upgraded((_, socket) => socket.resume());
    half.asking.leave("half-close");
    await until(() => half.socket.readableEnded);
    expect(cause(requestContext(half.req))).toBeInstanceOf(ClientDisconnected);
  });
});

test("the context of an upgrade request on a server without upgrade listener finishes with the response", async () => {
  let ctx: Context | undefined;
  await using server = await start((server) =>
    server.on("request", (req: IncomingMessage, res: ServerResponse) => {
      ctx = requestContext(req);
      res.end("ok");
    }),
  );
  const client = await server.client();
  client.socket.write(heads.upgrade);
  await client.answer();
  await until(() => isDone(ctx));
  expect(cause(ctx!)).toBeInstanceOf(RequestFinished);
});

describe("with a `checkContinue` listener (Expect: 100-continue), the context", () => {
  const head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
  async function expecting(listener: (req: IncomingMessage, res: ServerResponse) => void) {
    const seen: Context[] = [];
    const server = await start((server) =>
      server.on("checkContinue", (req: IncomingMessage, res: ServerResponse) => {
        seen.push(requestContext(req));
        listener(req, res);
      }),
    );
    const client = await server.client();
    client.socket.write(head);
    await until(() => seen.length === 1);
    return Object.assign(server, { asking: client, ctx: seen[0]! });
  }

  test("lasts from the request's head to the final response", async () => {
    await using server = await expecting((req, res) => {
      res.writeContinue();
      req.resume().on("end", () => res.end("ok"));
    });
    await server.asking.answer();
    expect(isDone(server.ctx)).toBe(false);
    server.asking.socket.write("body");
    await server.asking.answer(2);
    await until(() => isDone(server.ctx));
    expect(cause(server.ctx)).toBeInstanceOf(RequestFinished);
  });

  test("finishes with a 417", async () => {
    await using server = await expecting((_, res) => res.writeHead(417).end());
    await until(() => isDone(server.ctx));
    expect(cause(server.ctx)).toBeInstanceOf(RequestFinished);
  });

  test.each(["FIN", "RST", "half-close"] as const)(
    "is canceled if the client leaves by %s before 100 Continue",
    async (how) => {
      await using server = await expecting(() => undefined);
      server.asking.leave(how);
      await until(() => isDone(server.ctx));
      expect(cause(server.ctx)).toBeInstanceOf(ClientDisconnected);
    },
  );
});
