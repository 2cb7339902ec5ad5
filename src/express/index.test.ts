import express from "express";
import { describe, expect, expectTypeOf, test, vi } from "vitest";
import { serve, until } from "../../test/raw-http.ts";
import { frameworkSuite } from "../../test/support/framework-suite.ts";
import { express5, expressOld, old } from "../../test/support/frameworks/express.ts";
import { isDeadlineExceeded, sleep, throwIfDone, type Context } from "../index.ts";
import { contextErrors, contexts, route } from "./index.ts";

vi.setConfig({ testTimeout: 30_000 });

frameworkSuite(express5);

frameworkSuite(expressOld);

/**
 * Returns the response to a request whose route throws `thrown`, and the errors that `middleware`,
 * which is behind `contextErrors()`, got.
 */
async function answerTo(
  make: typeof express,
  thrown: unknown,
  middleware: express.ErrorRequestHandler,
): Promise<{ told: unknown[]; answer: string; statuses: number[] }> {
  const told: unknown[] = [];
  const app = make();
  app.use(contexts());
  app.get(
    "/",
    route(() => {
      throw thrown;
    }),
  );
  app.use(contextErrors());
  app.use(((error, req, res, next) => {
    told.push(error);
    return middleware(error, req, res, next);
  }) as express.ErrorRequestHandler);
  await using server = await serve(app);
  const client = await server.client();
  client.get();
  return { told, answer: await client.answer(), statuses: client.statuses };
}

describe("Express", () => {
  const apps: [string, typeof express][] = [
    ["5", express],
    ["4", old],
  ];
  test.each(apps)(
    "%s: custom error middleware gets an error with a status and a cause",
    async (_, make) => {
      const told: { status: unknown; isLate: boolean }[] = [];
      const app = make();
      app.use(contexts({ timeout: 20 }));
      const router = make.Router();
      router.get(
        "/",
        route((ctx) => sleep(ctx, Infinity)),
      );
      app.use("/orders", router);
      app.use(contextErrors());
      app.use(((error: Error & { status: number }, _req, res, _next) => {
        told.push({ status: error.status, isLate: isDeadlineExceeded(error) });
        res.status(error.status).json({ sorry: true });
      }) as express.ErrorRequestHandler);
      await using server = await serve(app);
      const client = await server.client();
      client.get("/orders");
      expect(await client.answer()).toMatch(/ 503 [^]*retry-after: 1\r\n[^]*{"sorry":true}$/i);
      expect(told).toEqual([{ status: 503, isLate: true }]);
    },
  );

  test.each(apps)("%s: a thrown object that is no JSON keeps its status", async (_, make) => {
    const loop: Record<string, unknown> = { status: 404 };
    loop["self"] = loop;
    for (const thrown of [loop, { status: 404, id: 10n }]) {
      const { told, answer } = await answerTo(make, thrown, (error, _req, _res, next) => {
        next(error);
      });
      expect(answer).toMatch(/^HTTP\/1.1 404 /);
      expect(told[0]).toBe(thrown);
    }
  });

  test.each(apps)(
    "%s: slow error middleware responds, whenever the handler stops",
    async (_, make) => {
      let stopped = 0;
      const app = make();
      app.use(contexts({ timeout: 20 }));
      app.get(
        "/stops",
        route(async (ctx) => {
          await sleep(ctx, Infinity).catch(() => undefined);
          await new Promise((resolve) => setTimeout(resolve, 10)); // as long as a query takes to stop
          stopped++;
          throwIfDone(ctx);
        }),
      );
      app.use(contextErrors());
      app.use((async (error, _req, res, _next) => {
        await until(() => stopped > 0);
        await new Promise((resolve) => setTimeout(resolve, 10));
        res.status((error as { status: number }).status).send("my page");
      }) as express.ErrorRequestHandler);
      await using server = await serve(app);
      for (let i = 1; i <= 2; i++) {
        stopped = 0;
        const client = await server.client();
        client.get("/stops");
        expect(await client.answer()).toMatch(/ 503 [^]*my page$/);
      }
    },
  );

  test.each(apps)(
    "%s: without custom error middleware, a limit is answered once",
    async (_, make) => {
      let stopped = false;
      const app = make();
      const outer = make();
      app.use(contexts({ timeout: 20 }));
      app.get(
        "/",
        route(async (ctx) => {
          await sleep(ctx, Infinity).catch(() => undefined);
          await new Promise((resolve) => setTimeout(resolve, 10));
          stopped = true;
          throwIfDone(ctx);
        }),
      );
      app.use(contextErrors());
      outer.use("/inner", app);
      await using server = await serve(outer);
      const client = await server.client();
      client.get("/inner/");
      expect(await client.answer()).toMatch(/ 503 [^]*retry-after: 1\r\n[^]*Service Unavailable/i);
      await until(() => stopped);
      client.get("/inner/");
      await client.answer(2);
      expect(client.statuses).toEqual([503, 503]);
    },
  );

  test("contexts and contextErrors say how to register them when they are not called", async () => {
    const app = express();
    app.use(contexts as never);
    await using server = await serve(app);
    const client = await server.client();
    client.get();
    expect(await client.answer()).toMatch(/ 500 [^]*contexts\(options\) takes options/);
    expect(() => (contextErrors as (x: unknown) => unknown)({})).toThrow("contextErrors()");
    expect(() => contexts("5s" as never)).toThrow('got the string "5s"');
    expect(() => contexts({ parent: new AbortController().signal as never })).toThrow(
      "parent is a Context",
    );
    expect(() => contexts({ deadline: 300 as never })).toThrow("deadline is true or an object");
  });

  test.each(apps)(
    "%s: an error that is no context error is passed on as it is",
    async (_, make) => {
      const bug = new Error("a bug");
      const { told, statuses } = await answerTo(make, bug, (_error, _req, res, _next) => {
        res.sendStatus(418);
      });
      expect(statuses).toEqual([418]);
      expect(told).toEqual([bug]);
    },
  );

  test.each(apps)(
    "%s: a handler that fails after the response closes no connection",
    async (_, make) => {
      let failed = false;
      const app = make();
      app.use(contexts({ timeout: 20 }));
      app.get("/slow", (_req, _res, next) => {
        setTimeout(() => {
          failed = true;
          next(new Error("late"));
        }, 100);
      });
      app.get("/", (_req, res) => {
        res.send("ok");
      });
      app.use(contextErrors());
      await using server = await serve(app);
      const client = await server.client();
      client.get("/slow");
      await client.answer();
      await until(() => failed);
      client.get();
      await client.answer(2);
      expect(client.statuses).toEqual([503, 200]);
    },
  );

  test.each(apps)(
    "%s: a route may have contexts() of its own, and a router contextErrors()",
    async (_, make) => {
      const app = make();
      app.use(contexts({ timeout: 30_000 }));
      const router = make.Router();
      router.get(
        "/",
        contexts({ timeout: 20 }),
        route((ctx) => sleep(ctx, Infinity)),
      );
      router.use(contextErrors());
      app.use(router);
      app.use(contextErrors());
      await using server = await serve(app);
      const client = await server.client();
      client.get();
      expect(await client.answer()).toMatch(/ 503 [^]*retry-after: 1\r\n/);
    },
  );

  test.each(apps)(
    "%s: with the option `deadline`, the caller's deadline ends the request with 504",
    async (_, make) => {
      const app = make();
      app.use(contexts({ deadline: true }));
      app.get(
        "/",
        route((ctx) => sleep(ctx, Infinity)),
      );
      app.use(contextErrors());
      await using server = await serve(app);
      const client = await server.client();
      for (const ms of [20, 0]) {
        client.socket.write(`GET / HTTP/1.1\r\nHost: x\r\nx-request-timeout-ms: ${ms}\r\n\r\n`);
      }
      await client.answer(2);
      expect(client.statuses).toEqual([504, 504]);
    },
  );

  test("Express' types are inferred", () => {
    const app = express();
    app.get("/:id", (req) => expectTypeOf(req.ctx).toEqualTypeOf<Context>());
    app.get(
      "/:id",
      route((ctx, req, res) => {
        expectTypeOf(ctx).toEqualTypeOf<Context>();
        expectTypeOf(req).toEqualTypeOf<express.Request>();
        expectTypeOf(res).toEqualTypeOf<express.Response>();
      }),
    );
  });
});
