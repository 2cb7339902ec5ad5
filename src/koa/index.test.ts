import Koa from "koa";
import { expect, expectTypeOf, test, vi } from "vitest";
import { serve, until } from "../../test/raw-http.ts";
import { frameworkSuite } from "../../test/support/framework-suite.ts";
import { koa3 } from "../../test/support/frameworks/koa.ts";
import { transports } from "../../test/support/transports/index.ts";
import { currentContext } from "../current/index.ts";
import { LocalTimeout, RequestFinished } from "../http/index.ts";
import { cause, isDeadlineExceeded, sleep, type Context } from "../index.ts";
import { contexts } from "./index.ts";

vi.setConfig({ testTimeout: 30_000 });

const served = (app: Koa) => {
  const listener = app.callback();
  return serve((req, res) => void listener(req, res));
};

frameworkSuite(koa3);

test("outer middleware catches an error with a status and a cause, and koa.context is typed", async () => {
  const told: unknown[] = [];
  const app = new Koa();
  app.use(async (koa, next) => {
    try {
      await next();
    } catch (error) {
      told.push((error as { status?: number }).status, isDeadlineExceeded(error));
      koa.status = 503;
      koa.body = { sorry: true };
    }
  });
  app.use(contexts({ timeout: 20 }));
  app.use(async (koa) => {
    expectTypeOf(koa.context).toEqualTypeOf<Context>();
    await sleep(koa.context, Infinity);
  });
  await using server = await served(app);
  const client = await server.client();
  client.get();
  expect(await client.answer()).toMatch(/ 503 [^]*{"sorry":true}$/);
  expect(told).toEqual([503, true]);
});

test.each(transports)(
  "half a response, which Koa would leave open for ever, is cut off: $name",
  async (transport) => {
    const app = new Koa();
    app.silent = true;
    app.use(contexts({ timeout: 20 }));
    app.use(async (koa) => {
      koa.respond = false;
      koa.res.write("a part");
      koa.res.on("close", () => (closed = true));
      await sleep(koa.context, Infinity);
    });
    let closed = false;
    await using server = transport.server();
    await server.listen(app.callback());
    const visitor = await server.visitor();
    visitor.get();
    await visitor.head();
    await until(() => closed && server.occupied.size === 0);
    await until(() => visitor.replies[0]?.cut === true, "it looks cut off");
  },
);

test("an error that is no context error is thrown as it is", async () => {
  const bug = Object.assign(new Error("teapot"), { status: 418 });
  const told: unknown[] = [];
  const app = new Koa();
  app.on("error", (error) => told.push(error));
  app.use(contexts());
  app.use(() => {
    throw bug;
  });
  await using server = await served(app);
  const client = await server.client();
  client.get();
  await client.answer();
  expect(client.statuses).toEqual([418]);
  expect(told).toEqual([bug]);
});

test("a bug in a POST whose client has left is told to Koa, and its current context ends", async () => {
  const bug = new Error("a bug");
  const told: unknown[] = [];
  const seen: (Context | undefined)[] = [];
  const app = new Koa();
  app.on("error", (error) => told.push(error));
  app.use(contexts({ current: true }));
  app.use(async (koa) => {
    seen.push(currentContext());
    await until(() => koa.context.err() !== undefined);
    throw bug;
  });
  await using server = await served(app);
  const client = await server.client();
  client.post("");
  await until(() => seen.length === 1);
  client.leave("FIN");
  await until(() => seen[0]?.err() !== undefined);
  expect(cause(seen[0]!)).toBeInstanceOf(RequestFinished);
  expect(told).toEqual([bug]);
});

test("inner contexts() limit the current context of a POST as well", async () => {
  const seen: (Context | undefined)[] = [];
  const app = new Koa();
  app.silent = true;
  app.use(contexts({ current: true }));
  app.use(contexts({ timeout: 500 }));
  app.use(async () => {
    seen.push(currentContext());
    await sleep(currentContext()!, Infinity);
  });
  await using server = await served(app);
  const client = await server.client();
  client.post("");
  expect(await client.answer()).toMatch(/ 503 /);
  expect(cause(seen[0]!)).toBeInstanceOf(LocalTimeout);
});
