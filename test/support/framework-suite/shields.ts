/** What a request gets whose handler runs a `shield` while its context ends. */
import { expect, test } from "vitest";
import { background, detach, shield, sleep } from "../../../src/index.ts";
import { until } from "../../raw-http.ts";
import type { Transport, Visitor } from "../transports/index.ts";
import {
  asker,
  forever,
  gate,
  limitedAsker,
  start,
  type FrameworkUnderTest,
  type Work,
} from "./under-test.ts";

const long = 60_000;

export function shields(framework: FrameworkUnderTest, transport: Transport): void {
  const ask = asker(framework, transport);
  const askLimited = limitedAsker(ask);
  const begun = ({ replies }: Visitor) => replies.filter(({ status }) => status > 0);
  const unread = () => Promise.resolve();

  /** A handler that charges a card under a shield, until the test opens the gate. */
  function charging(then: Work = () => "paid", budget = long) {
    const held = gate();
    const work: Work = async (ctx) => {
      await shield(ctx, budget, () => held.opened);
      return await then(ctx, unread, {});
    };
    return { work, open: () => held.open() };
  }

  test("that outlives the limit is waited for, and the handler responds", async () => {
    const { work, open } = charging();
    await using server = await askLimited(work);
    await until(() => server.seen[0]?.err() !== undefined);
    await sleep(background(), 50); // time for a late answer
    expect(begun(server.asked)).toEqual([]);
    open();
    expect(await server.asked.whole()).toMatchObject({ status: 200, body: "paid" });
  });

  test("that outlives the grace period is waited for, and the handler responds", async () => {
    const { work, open } = charging();
    const times = { gracePeriod: 30, forceAfter: long };
    await using server = await start(framework, transport, work, {}, times);
    const visitor = await server.visitor();
    visitor.get();
    await until(() => server.seen.length === 1);
    const closed = server.serving.close();
    await until(() => server.ctx.err() !== undefined);
    await sleep(background(), 50);
    expect(begun(visitor)).toEqual([]);
    open();
    expect(await visitor.whole()).toMatchObject({ status: 200, body: "paid" });
    expect(await closed).toMatchObject({ canceled: 1, destroyed: 0 });
  });

  test.each([
    ["and stops with its context afterwards", false, long],
    ["and has no response one turn later", true, long],
    ["whose budget passes", true, 60],
  ])("that outlives the limit %s, is answered with 500", async (_, isDeaf, budget) => {
    const deaf = gate();
    const later: Work = async () => (await deaf.opened, "too late");
    const { work, open } = charging(isDeaf ? later : forever, budget);
    await using server = await askLimited(work);
    await until(() => server.seen[0]?.err() !== undefined);
    await sleep(background(), 10);
    if (budget === long) open();
    const { status, headers } = await server.asked.head();
    expect([status, headers["retry-after"]]).toEqual([500, undefined]);
    open();
    deaf.open();
  });

  test("that has ended before the limit passes keeps Retry-After away", async () => {
    const { work, open } = charging(forever);
    open();
    await using server = await askLimited(work);
    const { status, headers } = await server.asked.head();
    expect([status, headers["retry-after"]]).toEqual([500, undefined]);
  });

  test("beside work that is stopped keeps Retry-After away", async () => {
    const held = gate();
    const work: Work = async (ctx) => {
      const shielded = shield(ctx, long, () => held.opened);
      await Promise.all([shielded, forever(ctx, unread, {})]);
      return "";
    };
    await using server = await askLimited(work);
    const { status, headers } = await server.asked.head();
    expect([status, headers["retry-after"]]).toEqual([500, undefined]);
    held.open();
  });

  test("is no function of `detach`, which neither delays a 503 nor keeps Retry-After away", async () => {
    const held = gate();
    const work: Work = (ctx) => {
      detach(ctx, long, () => held.opened);
      return forever(ctx, unread, {});
    };
    await using server = await askLimited(work);
    const { status, headers } = await server.asked.head();
    expect([status, headers["retry-after"]]).toEqual([503, "1"]);
    held.open();
  });

  test("is not waited for when the caller's deadline passes", async () => {
    const { work, open } = charging();
    const how = (visitor: Visitor) => visitor.get({ "x-request-timeout-ms": "200" });
    await using server = await ask(work, { deadline: true }, how);
    expect((await server.asked.head()).status).toBe(504);
    open();
  });
}
