/** What holds for the request's context in every framework, over real sockets (HTTP/1.1). */
import type { IncomingMessage, ServerResponse } from "node:http";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  background,
  cause,
  sleep,
  startWork,
  withCancel,
  within,
  withTimeout,
  working,
  type Context,
} from "../../src/index.ts";
import {
  ClientDisconnected,
  LocalTimeout,
  RemoteDeadline,
  RequestFinished,
  Shutdown,
} from "../../src/http/index.ts";
import { serve, until, type Client } from "../raw-http.ts";

/** What a handler does: its answer is a text, or one in parts. It may read the body first. */
export type Work = (ctx: Context, body: () => Promise<unknown>) => Promise<Answer> | Answer;
type Answer = string | AsyncIterable<string>;

type Listener = (req: IncomingMessage, res: ServerResponse) => unknown;

export interface FrameworkUnderTest {
  readonly name: string;
  /** An application that does this work for GET and POST, with all that its users need for errors. */
  app(work: Work, options: { timeout?: number; parent?: Context }): Listener | Promise<Listener>;
  /** Whether an error can be answered before the whole body has come. Default: yes. */
  readonly answersEarly?: boolean;
  /** What the log finds as status of a client who left. Default: 499. */
  readonly statusOfGone?: number;
}

const secret = new Error("password=hunter2");

export function frameworkSuite(framework: FrameworkUnderTest): void {
  const escaped: unknown[] = [];
  const onEscape = (error: unknown): unknown => escaped.push(error);
  const events = ["unhandledRejection", "uncaughtException", "warning"] as const;
  beforeEach(() => {
    for (const event of events) process.on(event, onEscape);
  });
  afterEach(() => {
    for (const event of events) process.off(event, onEscape);
    expect(escaped.splice(0)).toEqual([]);
  });

  /** A server of such an application. Once it is disposed of, nothing may be left. */
  async function start(work: Work, options: { timeout?: number; parent?: Context } = {}) {
    const seen: Context[] = [];
    const logged: number[] = [];
    const listener = await framework.app((ctx, body) => {
      seen.push(ctx);
      const job = startWork(ctx, "test.work");
      const done = (async () => work(ctx, body))();
      void done.then(
        () => job.end(),
        () => job.end(),
      );
      return done;
    }, options);
    const server = await serve((req, res) => {
      res.on("close", () => setImmediate(() => logged.push(res.statusCode)));
      listener(req, res);
    });
    return {
      sockets: server.sockets,
      seen,
      logged,
      /** That of the first request. */
      get ctx(): Context {
        const [ctx] = seen;
        if (ctx === undefined) throw new Error("no handler has begun");
        return ctx;
      },
      client: () => server.client(),
      async [Symbol.asyncDispose]() {
        await until(() => seen.every((ctx) => ctx.err() !== undefined), "no context lives");
        await until(() => seen.flatMap(working).length === 0, "no work is left");
        await server[Symbol.asyncDispose]();
      },
    };
  }

  async function ask(
    work: Work,
    options: { timeout?: number; parent?: Context } = {},
    how: (client: Client) => void = (client) => client.get(),
  ) {
    const server = await start(work, options);
    const asked = await server.client();
    how(asked);
    return Object.defineProperty(server, "asked", { value: asked }) as typeof server & {
      readonly asked: Client;
    };
  }

  /** A limit that passes when the handler has begun, and not before on a busy machine. */
  async function askLimited(
    work: Work,
    how?: (client: Client) => void,
    end: Error = new LocalTimeout(),
  ) {
    const parent = withCancel(background());
    return await ask(
      (ctx, body) => {
        setImmediate(() => parent.cancel(end));
        return work(ctx, body);
      },
      { parent },
      how,
    );
  }

  const forever: Work = (ctx) => sleep(ctx, Infinity) as Promise<never>;
  const afterTheBody: Work = async (ctx, body) => (await body(), forever(ctx, body));
  async function* parts(ctx: Context, n = Infinity) {
    for (let i = 0; i < n; i++) {
      yield `part ${i}\n`;
      await sleep(ctx, 2);
    }
  }
  const post = (client: Client) => client.post("body");

  describe(framework.name, () => {
    describe.each([
      ["GET", (client: Client) => client.get()],
      ["POST", post],
    ])("%s", (method, how) => {
      test("finished: the context is done with the response, and the connection lives on", async () => {
        const read = method === "POST";
        await using server = await ask(async (_, body) => (read && (await body()), "ok"), {}, how);
        expect(await server.asked.answer()).toMatch(/ 200 OK[^]*ok/);
        how(server.asked);
        await server.asked.answer(2);
        await until(() => server.seen.every((ctx) => ctx.err() !== undefined));
        expect(server.seen.map(cause)).toEqual(Array(2).fill(expect.any(RequestFinished)));
      });

      test("streamed: the context lives as long as the response", async () => {
        await using server = await ask((ctx) => parts(ctx, 5), {}, how);
        await until(() => server.asked.received.endsWith("0\r\n\r\n"), "the last part");
        expect(server.asked.received).toMatch(/part 4/);
        await until(() => server.seen[0]?.err() !== undefined);
        expect(cause(server.ctx)).toBeInstanceOf(RequestFinished);
      });

      for (const leave of ["FIN", "RST", "half-close"] as const) {
        test(`the client leaves by ${leave}: what it started stops, and it is no failure`, async () => {
          const work = method === "POST" ? afterTheBody : forever;
          await using server = await ask(work, {}, how);
          await until(() => server.seen.length === 1);
          await new Promise((resolve) => setTimeout(resolve, 20)); // time for a false alarm
          expect(server.ctx.err()).toBeUndefined();
          server.asked.leave(leave);
          await until(() => server.ctx.err() !== undefined);
          expect(cause(server.ctx)).toBeInstanceOf(ClientDisconnected);
          await until(() => server.logged.length === 1);
          expect(server.logged).toEqual([framework.statusOfGone ?? 499]);
        });

        test(`the client leaves by ${leave} in the middle of a stream`, async () => {
          await using server = await ask((ctx) => parts(ctx), {}, how);
          await until(() => server.asked.received.includes("part 1"), "some parts");
          server.asked.leave(leave);
          await until(() => server.ctx.err() !== undefined);
          expect(cause(server.ctx)).toBeInstanceOf(ClientDisconnected);
          await until(() => server.sockets.size === 0);
        });
      }

      test("the time is up: 503, and the connection can be used again", async () => {
        await using server = await ask(forever, { timeout: 20 }, how);
        expect(await server.asked.answer()).toMatch(/ 503 [^]*retry-after: 1\r\n/i);
        expect(cause(server.ctx)).toBeInstanceOf(LocalTimeout);
        how(server.asked);
        await server.asked.answer(2);
        expect(server.asked.statuses).toEqual([503, 503]);
      });

      test("the handler fails: the framework's own 500", async () => {
        await using server = await ask(() => Promise.reject(secret), {}, how);
        expect(await server.asked.answer()).toMatch(/ 500 /);
        await until(() => server.ctx.err() !== undefined);
        expect(cause(server.ctx)).toBeInstanceOf(RequestFinished);
      });

      test("the handler's own limit passes: 503", async () => {
        await using server = await ask(
          (ctx) => within(ctx, 5, (inner) => sleep(inner, Infinity)) as Promise<never>,
          {},
          how,
        );
        expect(await server.asked.answer()).toMatch(/ 503 /);
      });
    });

    for (const leave of ["FIN", "RST", "half-close"] as const) {
      for (const [what, work] of [
        ["that waits", forever],
        ["that reads it", afterTheBody],
      ] as const) {
        test(`the client leaves by ${leave} with its body in flight, to a handler ${what}`, async () => {
          await using server = await ask(work, {}, (client) => client.post("body", 100));
          await until(() => server.seen.length === 1);
          server.asked.leave(leave);
          await until(() => server.ctx.err() !== undefined);
          expect(cause(server.ctx)).toBeInstanceOf(ClientDisconnected);
          await until(() => server.sockets.size === 0);
          expect(server.logged).not.toContain(500);
        });
      }
    }

    test("the time is up with a body in flight", async () => {
      const how = (client: Client) => client.post("body", 4);
      await using server = await ask(forever, { timeout: 20 }, how);
      await until(() => server.seen[0]?.err() !== undefined);
      if (framework.answersEarly ?? true) await server.asked.answer();
      server.asked.socket.write("more");
      await server.asked.answer();
      expect(server.asked.statuses).toEqual([503]);
    });

    test("a handler that stops at once when the time is up may answer by itself", async () => {
      await using server = await askLimited(async (ctx) => {
        await sleep(ctx, Infinity).catch(() => undefined);
        return "what there is so far";
      });
      expect(await server.asked.answer()).toMatch(/ 200 OK[^]*so far/);
    });

    test("one that ignores it is answered for, and what it comes to say is harmless", async () => {
      let late = 0;
      const slow: Work = async () => {
        await sleep(background(), 50);
        setImmediate(() => setImmediate(() => late++));
        return "too late";
      };
      await using server = await askLimited(slow);
      expect(await server.asked.answer()).toMatch(/ 503 /);
      await until(() => late === 1);
      server.asked.get();
      await server.asked.answer(2);
      await until(() => server.logged.length === 2);
      expect(server.asked.received).not.toContain("too late");
    });

    test("nor does its failure after that answer matter", async () => {
      let late = 0;
      await using server = await askLimited(async () => {
        await sleep(background(), 50);
        setImmediate(() => setImmediate(() => late++));
        throw secret;
      });
      await server.asked.answer();
      await until(() => late === 1);
      server.asked.get();
      await server.asked.answer(2);
      expect(server.asked.statuses).toEqual([503, 503]);
    });

    test("a stream that has begun is left to the handler", async () => {
      await using server = await askLimited((ctx) => {
        async function* rows() {
          yield "a part";
          await sleep(ctx, Infinity).catch(() => undefined);
          await sleep(background(), 5);
          yield "and the end";
        }
        return rows();
      });
      await until(() => server.asked.received.endsWith("0\r\n\r\n"), "the end");
      expect(server.asked.received).toMatch(/ 200 OK[^]*and the end/);
    });

    test("an error of the context's with another around it is the same: 503", async () => {
      await using server = await askLimited(async (ctx) => {
        await sleep(ctx, Infinity).catch((cause: unknown) => {
          throw new Error("select failed", { cause });
        });
        return "";
      });
      expect(await server.asked.answer()).toMatch(/ 503 /);
    });

    test("a parent that shuts down ends its requests: 503", async () => {
      await using server = await askLimited(forever, undefined, new Shutdown());
      expect(await server.asked.answer()).toMatch(/ 503 [^]*retry-after: 1\r\n/i);
    });

    test("a parent that is done keeps the handler from starting: 504", async () => {
      const parent = withTimeout(background(), 0, { cause: new RemoteDeadline() });
      await using server = await ask(() => "ran", { parent });
      expect(await server.asked.answer()).toMatch(/ 504 /);
      expect(server.seen).toEqual([]);
    });

    test("a limit that is no number of milliseconds is refused at once", async () => {
      await expect(
        (async () => framework.app(() => "", { timeout: Number.NaN }))(),
      ).rejects.toThrow(RangeError);
    });

    test("a connection that serves many requests gathers no listeners", async () => {
      let n = 0;
      const works: Work[] = [
        () => "ok",
        forever,
        () => Promise.reject(secret),
        (ctx) => parts(ctx, 2),
      ];
      await using server = await start(
        (ctx, body) => works[n++ % works.length]?.(ctx, body) ?? "",
        {
          timeout: 30,
        },
      );
      const client = await server.client();
      const counts: number[] = [];
      for (let i = 1; i <= 24; i++) {
        client.get();
        await client.answer(i);
        await until(() => server.logged.length === i);
        await until(() => server.seen.every((ctx) => ctx.err() !== undefined));
        counts.push(
          [...server.sockets].reduce(
            (sum, socket) =>
              socket.eventNames().reduce((all, name) => all + socket.listenerCount(name), sum),
            0,
          ),
        );
      }
      expect(server.sockets.size).toBe(1);
      expect(counts.slice(-works.length)).toEqual(counts.slice(works.length, 2 * works.length));
    });
  });
}
