/** The limits of a request: the server's time, the caller's deadline, a parent. */
import { describe, expect, test } from "vitest";
import { background, sleep, withCancel, withTimeout } from "../../../src/index.ts";
import { LocalTimeout, RemoteDeadline, Shutdown } from "../../../src/http/index.ts";
import { until } from "../../raw-http.ts";
import type { Transport, Visitor } from "../transports/index.ts";
import {
  asker,
  expectAll,
  forever,
  gate,
  type FrameworkUnderTest,
  type Work,
} from "./under-test.ts";

const secret = new Error("password=hunter2");

export function limits(framework: FrameworkUnderTest, transport: Transport): void {
  const ask = asker(framework, transport);

  /** A limit that passes when the handler has begun, and not before on a busy machine. */
  async function askLimited(
    work: Work,
    end: Error = new LocalTimeout(),
    how?: (visitor: Visitor) => void,
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

  describe("the time is up", () => {
    test("with a body in flight", async () => {
      const how = (visitor: Visitor) => visitor.post("body", 4);
      await using server = await askLimited(forever, new LocalTimeout(), how);
      await until(() => server.seen[0]?.err() !== undefined);
      if (framework.answersEarly ?? true) await server.asked.head();
      server.asked.send("more");
      await server.asked.head();
      expect(server.asked.replies.map(({ status }) => status)).toEqual([503]);
    });

    test("a handler that stops at once may answer by itself", async () => {
      await using server = await askLimited(async (ctx) => {
        await sleep(ctx, Infinity).catch(() => undefined);
        return "what there is so far";
      });
      expect(await server.asked.whole()).toMatchObject({
        ...{ status: 200, body: "what there is so far" },
      });
    });

    test("one that ignores it is answered for, and what it comes to say is harmless", async () => {
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

    test("nor does its failure after that answer matter", async () => {
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
      const reply = await server.asked.whole();
      expect(reply.status).toBe(200);
      expect(reply.body).toMatch(/and the end$/);
    });

    test("an error of the context's with another around it is the same: 503", async () => {
      await using server = await askLimited(async (ctx) => {
        await sleep(ctx, Infinity).catch((cause: unknown) => {
          throw new Error("select failed", { cause });
        });
        return "";
      });
      expect((await server.asked.head()).status).toBe(503);
    });
  });

  describe("a parent", () => {
    test("that shuts down ends its requests: 503", async () => {
      await using server = await askLimited(forever, new Shutdown());
      const { status, headers } = await server.asked.head();
      expect([status, headers["retry-after"]]).toEqual([503, "1"]);
    });

    test("that is done keeps the handler from starting: 504", async () => {
      const parent = withTimeout(background(), 0, { cause: new RemoteDeadline() });
      await using server = await ask(() => "ran", { parent });
      expect((await server.asked.head()).status).toBe(504);
      expect(server.seen).toEqual([]);
    });
  });

  describe("the caller's deadline", () => {
    const says = (ms: string) => (visitor: Visitor) => visitor.get({ "x-request-timeout-ms": ms });
    /** Runs until its limit, if it has one. */
    const untilThen: Work = async (ctx) =>
      ctx.deadline() === undefined ? "no deadline" : await forever(ctx, () => Promise.resolve());

    test.each([
      ["passes", {}],
      ["is shorter than the server's own limit", { timeout: 60_000 }],
    ])("%s: 504", async (_, more) => {
      await using server = await ask(untilThen, { deadline: true, ...more }, says("50"));
      expect((await server.asked.head()).status).toBe(504);
      expectAll(server.seen, RemoteDeadline);
    });

    test("is longer than the server's own limit, and lengthens nothing: 503", async () => {
      const own = { timeout: 50, deadline: true };
      await using server = await ask(untilThen, own, says("9999999999"));
      expect((await server.asked.head()).status).toBe(503);
      expectAll(server.seen, LocalTimeout);
    });

    test("has passed already: 504, and the handler does not run", async () => {
      await using server = await ask(untilThen, { deadline: true }, says("0"));
      expect((await server.asked.head()).status).toBe(504);
      expect(server.seen).toEqual([]);
    });

    test("is malformed, and passed over", async () => {
      await using server = await ask(untilThen, { deadline: true }, says("1e3"));
      expect((await server.asked.whole()).body).toBe("no deadline");
    });

    test("is malformed, and refused where that is strict: 400", async () => {
      await using server = await ask(untilThen, { deadline: { strict: true } }, says("1e3"));
      expect((await server.asked.head()).status).toBe(400);
      expect(server.seen).toEqual([]);
    });

    test.each([
      ["of anybody, unless the option says so", {}],
      ["of those who are not trusted", { deadline: { trust: () => false } }],
    ])("is not heeded %s", async (_, own) => {
      await using server = await ask(untilThen, own, says("20"));
      expect((await server.asked.whole()).body).toBe("no deadline");
    });
  });

  test("a limit that makes no sense is refused at once", async () => {
    const build = async (bad: object) => framework.app(() => "", bad);
    await expect(build({ timeout: Number.NaN })).rejects.toThrow(RangeError);
    await expect(build({ deadline: { headers: ["x-timeout"] } })).rejects.toThrow(/x-timeout/);
  });
}
