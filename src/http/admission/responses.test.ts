/** A gate behind real sockets: what it refuses is answered with 503 and its own Retry-After. */
import type { IncomingMessage, RequestListener } from "node:http";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { serve, until } from "../../../test/raw-http.ts";
import type { Work } from "../../../test/support/framework-suite.ts";
import { express5, expressOld } from "../../../test/support/frameworks/express.ts";
import { fastify5 } from "../../../test/support/frameworks/fastify.ts";
import { honoAsFetch, honoOnNode } from "../../../test/support/frameworks/hono.ts";
import { koa3 } from "../../../test/support/frameworks/koa.ts";
import { fetchHandlers } from "../../../test/support/frameworks/web.ts";
import { background, working, type Context } from "../../index.ts";
import { ManualClock, useClock } from "../../testing/index.ts";
import { admission, handler, type Admission } from "../index.ts";

vi.setConfig({ testTimeout: 30_000 });

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

const nodeHttp = {
  name: "handler",
  app: (work: Work, options: { timeout?: number }): RequestListener =>
    handler(async (ctx, req: IncomingMessage, res) => {
      res.end(await work(ctx, () => req.resume().toArray()));
    }, options),
};

const all = [
  nodeHttp,
  express5,
  expressOld,
  fastify5,
  koa3,
  honoOnNode,
  honoAsFetch,
  fetchHandlers,
];

describe.each(all)("$name", (framework) => {
  test("what would not be over in time is refused, before it starts", async () => {
    const gate = admission({ cost: 60_000 });
    let began = 0;
    const work: Work = (ctx) => gate.run(ctx, () => `${++began}`);
    await using server = await serve(await framework.app(work, { timeout: 5_000 }));
    const client = await server.client();
    for (const n of [1, 2]) {
      client.get();
      expect(await client.answer(n)).toMatch(/ 503 [^]*retry-after: 1\r\n/i);
    }
    expect(client.statuses).toEqual([503, 503]);
    expect(began).toBe(0);
    expect(client.received).not.toMatch(/ms left/); // why, is for logs
  });

  test("whom the queue is too long for is told when to come again", async () => {
    const gate = await heldFor(1_100);
    let began = 0;
    let release = (): void => undefined;
    const work: Work = (ctx) =>
      gate.run(ctx, async () => {
        began++;
        await new Promise<void>((resolve) => (release = resolve));
        return "done";
      });
    await using server = await serve(await framework.app(work, {}));
    const [first, second] = [await server.client(), await server.client()];
    first.get();
    await until(() => began === 1);
    second.get();
    expect(await second.answer()).toMatch(/ 503 [^]*retry-after: 2\r\n/i);
    release();
    expect(await first.answer()).toMatch(/ 200 OK[^]*done/);
    expect(began).toBe(1);
  });

  test("a client who leaves while waiting gives up its turn", async () => {
    const gate = admission({ concurrency: 1 });
    const seen: Context[] = [];
    let release = (): void => undefined;
    const work: Work = (ctx) => {
      seen.push(ctx);
      return gate.run(ctx, async () => {
        await new Promise<void>((resolve) => (release = resolve));
        return "done";
      });
    };
    await using server = await serve(await framework.app(work, {}));
    const [first, leaves] = [await server.client(), await server.client()];
    first.get();
    await until(() => gate.running === 1);
    leaves.get();
    await until(() => gate.waiting === 1);
    expect(working(seen[1]!).map(({ kind }) => kind)).toEqual(["admission.wait"]);
    leaves.leave("RST");
    await until(() => gate.waiting === 0);
    release();
    await first.answer();
    await until(() => gate.running === 0);
    expect(seen).toHaveLength(2);
  });
});

/** One place, for which nobody may wait, and which was held for so long the last time. */
async function heldFor(ms: number): Promise<Admission> {
  const clock = new ManualClock();
  using _ = useClock(clock);
  const gate = admission({ concurrency: 1, maxQueue: 0 });
  await gate.run(background(), () => clock.block(ms));
  return gate;
}
