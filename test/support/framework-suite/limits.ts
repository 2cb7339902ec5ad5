/** The limits of a request: the server's timeout, the caller's deadline, a parent. */
import { describe, expect, test } from "vitest";
import { background, sleep, withTimeout } from "../../../src/index.ts";
import { LocalTimeout, RemoteDeadline, Shutdown } from "../../../src/http/index.ts";
import { until } from "../../raw-http.ts";
import type { Transport, Visitor } from "../transports/index.ts";
import {
  asker,
  expectAll,
  forever,
  gate,
  limitedAsker,
  type FrameworkUnderTest,
  type Work,
} from "./under-test.ts";

const secret = new Error("password=hunter2");

export function limits(framework: FrameworkUnderTest, transport: Transport): void {
  const ask = asker(framework, transport);
  const askLimited = limitedAsker(ask);

  describe("when its limit passes, a handler", () => {
    test("gets a 503 as its response, even if the request body is unfinished", async () => {
      const how = (visitor: Visitor) => visitor.post("body", 4);
      await using server = await askLimited(forever, new LocalTimeout(), how);
      await until(() => server.seen[0]?.err() !== undefined);
      if (framework.answersEarly ?? true) await server.asked.head();
      server.asked.send("more");
      await server.asked.head();
      expect(server.asked.replies.map(({ status }) => status)).toEqual([503]);
    });

    test("that stops at once can respond by itself", async () => {
      await using server = await askLimited(async (ctx) => {
        await sleep(ctx, Infinity).catch(() => undefined);
        return "what there is so far";
      });
      expect(await server.asked.whole()).toMatchObject({
        ...{ status: 200, body: "what there is so far" },
      });
    });

    test("that ignores it gets a 503 as its response, and what it sends later does no harm", async () => {
      const held = gate();
      let late = 0;
      const slow: Work = async () => {
        await held.opened;
        setImmediate(() => setImmediate(() => late++));
        return "too late";
      };
      await using server = await askLimited(slow);
      expect((await server.asked.head()).status).toBe(503);
      held.open();
      await until(() => late === 1);
      server.asked.get();
      await server.asked.head(2);
      await until(() => server.logged.length === 2);
      expect(server.asked.replies.map(({ body }) => body).join()).not.toContain("too late");
    });

    test("that fails after its 503 does no harm", async () => {
      const held = gate();
      let late = 0;
      await using server = await askLimited(async () => {
        await held.opened;
        setImmediate(() => setImmediate(() => late++));
        throw secret;
      });
      await server.asked.head();
      held.open();
      await until(() => late === 1);
      server.asked.get();
      await server.asked.head(2);
      expect(server.asked.replies.map(({ status }) => status)).toEqual([503, 503]);
    });

    test("that has begun a stream can finish it", async () => {
      await using server = await askLimited((ctx) => {
        async function* rows() {
          yield "a part";
          await sleep(ctx, Infinity).catch(() => undefined);
          await sleep(background(), 5);
          yield "and the end";
        }
        return rows();
      });
      const reply = await server.asked.whole();
      expect(reply.status).toBe(200);
      expect(reply.body).toMatch(/and the end$/);
    });

    test("that wraps the context's error in another error still gets a 503", async () => {
      await using server = await askLimited(async (ctx) => {
        await sleep(ctx, Infinity).catch((cause: unknown) => {
          throw new Error("select failed", { cause });
        });
        return "";
      });
      expect((await server.asked.head()).status).toBe(503);
    });
  });

  describe("the option `parent`", () => {
    test("ends requests with 503 and Retry-After when it ends with Shutdown", async () => {
      await using server = await askLimited(forever, new Shutdown());
      const { status, headers } = await server.asked.head();
      expect([status, headers["retry-after"]]).toEqual([503, "1"]);
    });

    test("keeps the handler from starting if it is done already", async () => {
      const parent = withTimeout(background(), 0, { cause: new RemoteDeadline() });
      await using server = await ask(() => "ran", { parent });
      expect((await server.asked.head()).status).toBe(504);
      expect(server.seen).toEqual([]);
    });
  });

  describe("a request whose caller's deadline", () => {
    const says = (ms: string) => (visitor: Visitor) => visitor.get({ "x-request-timeout-ms": ms });
    /** Runs until its deadline, if it has one. */
    const untilThen: Work = async (ctx) =>
      ctx.deadline() === undefined
        ? "no deadline"
        : await forever(ctx, () => Promise.resolve(), {});

    test.each([
      ["passes", {}],
      ["is shorter than the server's own limit", { timeout: 60_000 }],
    ])("%s gets a 504", async (_, more) => {
      await using server = await ask(untilThen, { deadline: true, ...more }, says("50"));
      expect((await server.asked.head()).status).toBe(504);
      expectAll(server.seen, RemoteDeadline);
    });

    test("is longer than the server's own limit gets a 503 when that limit passes", async () => {
      const own = { timeout: 50, deadline: true };
      await using server = await ask(untilThen, own, says("9999999999"));
      expect((await server.asked.head()).status).toBe(503);
      expectAll(server.seen, LocalTimeout);
    });

    test("has passed already gets a 504, and its handler does not run", async () => {
      await using server = await ask(untilThen, { deadline: true }, says("0"));
      expect((await server.asked.head()).status).toBe(504);
      expect(server.seen).toEqual([]);
    });

    test("is malformed has no deadline", async () => {
      await using server = await ask(untilThen, { deadline: true }, says("1e3"));
      expect((await server.asked.whole()).body).toBe("no deadline");
    });

    test("is malformed gets a 400 if `strict` is set, and its handler does not run", async () => {
      await using server = await ask(untilThen, { deadline: { strict: true } }, says("1e3"));
      expect((await server.asked.head()).status).toBe(400);
      expect(server.seen).toEqual([]);
    });

    test.each([
      ["the option `deadline` is not set", {}],
      ["`trust` returns false", { deadline: { trust: () => false } }],
    ])("does not count has no deadline, because %s", async (_, own) => {
      await using server = await ask(untilThen, own, says("20"));
      expect((await server.asked.whole()).body).toBe("no deadline");
    });
  });

  test("options that make no sense are refused when the application is built", async () => {
    const build = async (bad: object) => framework.app(() => "", bad);
    await expect(build({ timeout: Number.NaN })).rejects.toThrow(RangeError);
    await expect(build({ deadline: { headers: ["x-timeout"] } })).rejects.toThrow(/x-timeout/);
  });
}
