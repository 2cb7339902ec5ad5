/** eightysix/web and eightysix/hono on the servers of Bun and Deno, over real sockets. */
import { once } from "node:events";
import { connect } from "node:net";
import { Hono } from "hono";
import { describe, expect, test, vi } from "vitest";
import { contexts } from "../../src/hono/index.ts";
import { ClientDisconnected, LocalTimeout, RequestFinished } from "../../src/http/index.ts";
import { cause, sleep, startWork, stopped, working, type Context } from "../../src/index.ts";
import { handler } from "../../src/web/index.ts";
import { Client, until } from "../raw-http.ts";

vi.setConfig({ testTimeout: 30_000 });

type Fetch = (request: Request) => Response | Promise<Response>;
type Work = (ctx: Context) => Promise<Response> | Response;

/** The parts of Bun and Deno that are used. Port 0 takes a free port. */
interface Platform {
  Bun?: {
    serve(options: { port: 0; hostname: string; fetch: Fetch }): {
      port: number;
      stop(force: boolean): Promise<void>;
    };
  };
  Deno?: {
    serve(
      options: { port: 0; hostname: string; onListen(): void },
      fetch: Fetch,
    ): { addr: { port: number }; shutdown(): Promise<void> };
  };
}

function listen(fetch: Fetch): { port: number; stop: () => Promise<void> } {
  const { Bun, Deno } = globalThis as Platform;
  const where = { port: 0, hostname: "127.0.0.1" } as const;
  if (Bun) {
    const server = Bun.serve({ ...where, fetch });
    return { port: server.port, stop: () => server.stop(true) };
  }
  if (!Deno) throw new Error("neither Bun nor Deno");
  const server = Deno.serve({ ...where, onListen: () => undefined }, fetch);
  return { port: server.addr.port, stop: () => server.shutdown() };
}

const apps: Record<string, (work: Work, timeout?: number) => Fetch> = {
  "eightysix/web": (work, timeout) =>
    handler(
      async (ctx, request: Request) => (await request.text(), work(ctx)),
      timeout === undefined ? {} : { timeout },
    ),
  "eightysix/hono": (work, timeout) => {
    const app = new Hono();
    app.use(contexts(timeout === undefined ? {} : { timeout }));
    app.onError((_error, c) => c.text("Internal Server Error", 500));
    app.all("/", async (c) => (await c.req.text(), work(c.var.ctx)));
    return (request) => app.fetch(request);
  },
};

describe.each(Object.entries(apps))("%s on the platform's own server", (_, app) => {
  async function start(work: Work, timeout?: number) {
    const seen: Context[] = [];
    const fetch = app(async (ctx) => {
      seen.push(ctx);
      const job = startWork(ctx, "test.work");
      try {
        return await work(ctx);
      } finally {
        job.end();
      }
    }, timeout);
    const { port, stop } = listen(fetch);
    const clients: Client[] = [];
    return {
      seen,
      async client(): Promise<Client> {
        const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
        await once(socket, "connect");
        const client = new Client(socket);
        clients.push(client);
        return client;
      },
      async [Symbol.asyncDispose]() {
        await until(() => seen.every((ctx) => ctx.err() !== undefined), "no context lives");
        await until(() => seen.flatMap(working).length === 0, "no work is left");
        for (const { socket } of clients) socket.destroy();
        await stop();
      },
    };
  }

  const forever: Work = (ctx) => sleep(ctx, Infinity) as Promise<never>;
  const parts = (n: number) => (ctx: Context) => {
    async function* texts() {
      for (let i = 0; i < n; i++) {
        yield new TextEncoder().encode(`part ${i}\n`);
        await sleep(ctx, 2);
      }
    }
    return new Response(ReadableStream.from(texts()));
  };

  describe.each([
    ["GET", (client: Client) => client.get()],
    ["POST", (client: Client) => client.post("body")],
  ])("%s", (_method, ask) => {
    test("the context ends when the response is finished, and the connection stays open", async () => {
      await using server = await start(() => new Response("ok"));
      const client = await server.client();
      ask(client);
      expect(await client.answer()).toMatch(/ 200 OK/);
      await until(() => client.received.endsWith("ok"));
      ask(client);
      await client.answer(2);
      await until(() => server.seen.every((ctx) => ctx.err() !== undefined));
      expect(server.seen.map(cause)).toEqual(Array(2).fill(expect.any(RequestFinished)));
    });

    test("the context of a streamed response lives until the stream ends", async () => {
      await using server = await start(parts(5));
      const client = await server.client();
      ask(client);
      await until(() => client.received.endsWith("0\r\n\r\n"), "the last part");
      expect(client.received).toMatch(/part 4/);
      await until(() => server.seen[0]?.err() !== undefined);
      expect(cause(server.seen[0]!)).toBeInstanceOf(RequestFinished);
    });

    test("a request whose timeout passes is answered with 503, and its work stops", async () => {
      await using server = await start(forever, 30);
      const client = await server.client();
      ask(client);
      expect(await client.answer()).toMatch(/ 503 [^]*retry-after: 1\r\n/i);
      expect(cause(server.seen[0]!)).toBeInstanceOf(LocalTimeout);
    });

    test.each(["FIN", "RST", "half-close"] as const)(
      "the client leaves by %s: what it started stops",
      async (how) => {
        await using server = await start(forever);
        const client = await server.client();
        ask(client);
        await until(() => server.seen.length === 1);
        await new Promise((resolve) => setTimeout(resolve, 20)); // time for a false alarm
        const ctx = server.seen[0]!;
        expect(ctx.err()).toBeUndefined();
        client.leave(how);
        await until(() => ctx.err() !== undefined);
        expect(cause(ctx)).toBeInstanceOf(ClientDisconnected);
        expect(await stopped(ctx)).toMatchObject([{ kind: "test.work", state: "stopped" }]);
      },
    );

    test.each(["FIN", "RST", "half-close"] as const)(
      "the client leaves by %s in the middle of a stream",
      async (how) => {
        await using server = await start(parts(Infinity));
        const client = await server.client();
        ask(client);
        await until(() => client.received.includes("part 1"), "some parts");
        client.leave(how);
        await until(() => server.seen[0]?.err() !== undefined);
        expect(cause(server.seen[0]!)).toBeInstanceOf(ClientDisconnected);
      },
    );
  });
});
