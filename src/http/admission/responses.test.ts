/** A gate in each framework, over real sockets: refusals become 503 with the Retry-After of the gate. */
import type { IncomingMessage, RequestListener } from "node:http";
import { describe, expect, test, vi } from "vitest";
import { serve, until } from "../../../test/raw-http.ts";
import { failOnEscapes } from "../../../test/support/escapes.ts";
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

failOnEscapes();

const nodeHttp = {
  name: "handler",
  app: (work: Work, options: { timeout?: number }): RequestListener =>
    handler(async (ctx, req: IncomingMessage, res) => {
      res.end(await work(ctx, () => req.resume().toArray(), {}));
    }, options),
};

const frameworks = [
  nodeHttp,
  express5,
  expressOld,
  fastify5,
  koa3,
  honoOnNode,
  honoAsFetch,
  fetchHandlers,
];

describe.each(frameworks)("$name", (framework) => {
  test("responds with 503 to work that would miss its deadline, and does not start it", async () => {
    const gate = admission({ cost: 60_000 });
    let starts = 0;
    const work: Work = (ctx) => gate.run(ctx, () => `${++starts}`);
    await using server = await serve(await framework.app(work, { timeout: 5_000 }));
    const client = await server.client();
    for (const n of [1, 2]) {
      client.get();
      expect(await client.answer(n)).toMatch(/ 503 [^]*retry-after: 1\r\n/i);
    }
    expect(client.statuses).toEqual([503, 503]);
    expect(starts).toBe(0);
    expect(client.received).not.toMatch(/ms left/); // `why` is for logs
  });

  test("responds with 503 and the predicted wait as Retry-After if the queue is full", async () => {
    const gate = await gateAfterRunOf(1_100);
    let starts = 0;
    let release = (): void => undefined;
    const work: Work = (ctx) =>
      gate.run(ctx, async () => {
        starts++;
        await new Promise<void>((resolve) => (release = resolve));
        return "done";
      });
    await using server = await serve(await framework.app(work, {}));
    const [first, second] = [await server.client(), await server.client()];
    first.get();
    await until(() => starts === 1);
    second.get();
    expect(await second.answer()).toMatch(/ 503 [^]*retry-after: 2\r\n/i);
    release();
    expect(await first.answer()).toMatch(/ 200 OK[^]*done/);
    expect(starts).toBe(1);
  });

  test("removes a client that disconnects from the queue", async () => {
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

/** Returns a gate with one place and no queue, whose last run took `ms`. */
async function gateAfterRunOf(ms: number): Promise<Admission> {
  const clock = new ManualClock();
  using _ = useClock(clock);
  const gate = admission({ concurrency: 1, maxQueue: 0 });
  await gate.run(background(), () => clock.block(ms));
  return gate;
}
