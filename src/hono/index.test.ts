import { getRequestListener } from "@hono/node-server";
import { Hono, type Context as HonoContext } from "hono";
import { stream } from "hono/streaming";
import { describe, expect, expectTypeOf, test, vi } from "vitest";
import { until } from "../../test/raw-http.ts";
import { frameworkSuite } from "../../test/support/framework-suite.ts";
import { honoOnNode, honoAsFetch } from "../../test/support/frameworks/hono.ts";
import { http1 } from "../../test/support/transports/http1.ts";
import { currentContext } from "../current/index.ts";
import { ClientDisconnected, LocalTimeout, RequestFinished } from "../http/index.ts";
import { background, cause, key, sleep, startWork, withValue, type Context } from "../index.ts";
import { contexts } from "./index.ts";

vi.setConfig({ testTimeout: 30_000 });

frameworkSuite(honoOnNode);

frameworkSuite(honoAsFetch);

describe("Hono", () => {
  test("the response that app.onError wrote is kept, with the status of the end", async () => {
    const app = new Hono();
    app.use(contexts({ timeout: 20 }));
    app.onError((_error, c) => {
      c.header("set-cookie", "a=1", { append: true });
      c.header("set-cookie", "b=2", { append: true });
      return c.json({ sorry: true }, 500);
    });
    const inner = new Hono();
    inner.get("/", async (c) => {
      expectTypeOf(c.var.ctx).toEqualTypeOf<Context>();
      expectTypeOf(c.get("ctx")).toEqualTypeOf<Context>();
      await sleep(c.var.ctx, Infinity);
      return c.text("never");
    });
    app.route("/orders", inner);
    const answer = await app.request("/orders");
    expect(answer.status).toBe(503);
    expect(answer.headers.get("retry-after")).toBe("1");
    expect(answer.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect(await answer.json()).toEqual({ sorry: true });
  });

  test("a status that app.onError chose stays, for an error of a context and for a bug", async () => {
    const app = new Hono();
    app.use(contexts({ timeout: 20 }));
    app.onError((_error, c) => c.text("sorry", 418));
    app.get("/late", async (c) => {
      await sleep(c.var.ctx, Infinity);
      return c.text("never");
    });
    app.get("/bug", () => {
      throw new Error("a bug");
    });
    for (const path of ["/late", "/bug"]) {
      const answer = await app.request(path);
      expect(answer.status).toBe(418);
      expect(await answer.text()).toBe("sorry");
    }
  });

  test("a route may have a shorter limit of its own", async () => {
    const app = new Hono();
    const Name = key<string>("name");
    app.use(contexts({ timeout: 30_000, parent: withValue(background(), Name, "reports") }));
    app.get("/", contexts({ timeout: 20 }), async (c) => {
      expect(c.var.ctx.value(Name)).toBe("reports");
      await sleep(c.var.ctx, Infinity);
      return c.text("never");
    });
    app.onError((_error, c) => c.text("failed", 500));
    expect((await app.request("/")).status).toBe(503);
  });

  test("`trust` is called with Hono's context, on Node and elsewhere", async () => {
    const app = new Hono();
    const trust = (c: HonoContext) => c.req.header("x-ours") === "yes";
    app.use(contexts({ timeout: 60, deadline: { trust } }));
    app.onError((_error, c) => c.text("failed", 500));
    app.get("/", async (c) => {
      await sleep(c.var.ctx, Infinity);
      return c.text("never");
    });
    contexts({ deadline: { trust: (c) => c.req.method === "GET" } }); // infers it
    const headers = { "x-request-timeout-ms": "20" };
    const ours = { ...headers, "x-ours": "yes" };
    expect((await app.request("/", { headers })).status).toBe(503);
    expect((await app.request("/", { headers: ours })).status).toBe(504);
    await using server = http1.server();
    await server.listen(getRequestListener(app.fetch));
    const visitor = await server.visitor();
    visitor.get(headers);
    expect((await visitor.head()).status).toBe(503);
    visitor.get(ours);
    expect((await visitor.head(2)).status).toBe(504);
  });

  test("an application with types of its own has the type of c.var.ctx too", () => {
    const app = new Hono<{ Bindings: { DB: string }; Variables: { user: string } }>();
    app.use(contexts());
    app.get("/", (c) => {
      expectTypeOf(c.var.ctx).toEqualTypeOf<Context>();
      expectTypeOf(c.var.user).toEqualTypeOf<string>();
      return c.text("");
    });
  });

  test("without node:http, the reader of the body decides: it reads to the end, or it cancels", async () => {
    const seen: Context[] = [];
    const app = new Hono();
    app.use(contexts());
    app.get("/", (c) => {
      seen.push(c.var.ctx);
      return stream(c, async (out) => {
        for (let i = 0; i < 3; i++) {
          await out.write("part");
          await out.sleep(5);
        }
      });
    });
    expect(await (await app.request("/")).text()).toBe("partpartpart");
    expect(cause(seen[0]!)).toBeInstanceOf(RequestFinished);
    await (await app.request("/")).body?.cancel();
    await until(() => seen[1]!.err() !== undefined);
    expect(cause(seen[1]!)).toBeInstanceOf(ClientDisconnected);
  });

  test("inner contexts() limit the current context of a POST as well, and may be the first to set it", async () => {
    const seen: (Context | undefined)[] = [];
    for (const [outer, inner] of [
      [{ current: true }, { timeout: 500 }],
      [{ timeout: 500 }, { current: true }],
    ] as const) {
      const app = new Hono();
      app.use(contexts(outer));
      app.use(contexts(inner));
      app.onError((_error, c) => c.text("failed", 500));
      app.post("/", async (c) => {
        seen.push(currentContext());
        await sleep(currentContext()!, Infinity);
        return c.text("never");
      });
      expect((await app.request("/", { method: "POST" })).status).toBe(503);
      expect(cause(seen.pop()!)).toBeInstanceOf(LocalTimeout);
      await using server = http1.server();
      await server.listen(getRequestListener(app.fetch));
      const visitor = await server.visitor();
      visitor.post("");
      expect((await visitor.head()).status).toBe(503);
      expect(cause(seen.pop()!)).toBeInstanceOf(LocalTimeout);
    }
  });

  test("without node:http, a POST whose body's reader leaves keeps its current context", async () => {
    let go: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (go = resolve));
    const seen: [Context, Context | undefined][] = [];
    const steps: unknown[] = [];
    const app = new Hono();
    app.use(contexts({ current: true }));
    app.post("/", (c) => {
      seen.push([c.var.ctx, currentContext()]);
      return stream(c, async (out) => {
        await out.write("part");
        const work = startWork(currentContext()!, "test.step");
        await gate;
        steps.push(currentContext()?.err());
        work.end();
      });
    });
    const response = await app.request("/", { method: "POST" });
    await response.body?.cancel();
    const [own, current] = seen[0]!;
    await until(() => own.err() !== undefined);
    expect(cause(own)).toBeInstanceOf(ClientDisconnected);
    await sleep(background(), 20);
    expect(current?.err()).toBeUndefined();
    go();
    await until(() => current?.err() !== undefined);
    expect([cause(current!), ...steps]).toEqual([expect.any(RequestFinished), undefined]);
  });
});
