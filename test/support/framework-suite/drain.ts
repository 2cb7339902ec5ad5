/** What happens to requests when `serve` shuts their server down. */
import { describe, expect, test } from "vitest";
import { cause, sleep, type Context } from "../../../src/index.ts";
import { RequestFinished, Shutdown } from "../../../src/http/index.ts";
import { until } from "../../raw-http.ts";
import type { Transport } from "../transports/index.ts";
import { visit } from "../transports/http1.ts";
import {
  forever,
  gate,
  parts,
  quiet,
  start,
  watched,
  type FrameworkUnderTest,
  type Gate,
  type Work,
} from "./under-test.ts";

/** Milliseconds that no test reaches unless it fails. */
const long = 60_000;

const answered = async ({ opened }: Gate): Promise<string> => (await opened, "ok");

export function drain(framework: FrameworkUnderTest, transport: Transport): void {
  test("lets an open request finish in the grace period, and closes idle connections at once", async () => {
    const held = gate();
    let n = 0;
    const work: Work = () => (n++ === 0 ? "ok" : answered(held));
    await using server = await start(framework, transport, work, {}, { gracePeriod: long });
    const [idle, unused, busy] = [
      await server.visitor(),
      await server.visitor(),
      await server.visitor(),
    ];
    idle.get();
    await idle.whole();
    busy.get();
    await until(() => server.seen.length === 2);
    const closed = server.serving.close();
    await until(() => idle.ended && unused.ended, "idle connections are closed");
    const [, ctx] = server.seen as [Context, Context];
    expect([ctx.err(), busy.ended]).toEqual([undefined, false]);
    held.open();
    const { status, body, headers } = await busy.whole();
    expect([status, body]).toEqual([200, "ok"]);
    if (!transport.http2) expect(headers["connection"]).toBe("close");
    expect(await closed).toMatchObject({ drained: 1, canceled: 0, destroyed: 0 });
    expect(cause(ctx)).toBeInstanceOf(RequestFinished);
    await until(() => busy.ended && server.connections.size === 0, "nothing is left");
  });

  test("responds to all requests of one connection, and to one that arrives after the start", async () => {
    const held = gate();
    const work: Work = () => answered(held);
    await using server = await start(framework, transport, work, {}, { gracePeriod: long });
    const visitor = await server.visitor();
    for (let i = 0; i < 3; i++) visitor.get();
    await until(() => server.seen.length === 3);
    const closed = server.serving.close();
    // Over HTTP/2, GOAWAY refuses later requests.
    const count = transport.http2 ? 3 : 4;
    if (!transport.http2) visitor.get();
    await until(() => server.seen.length === count);
    held.open();
    await visitor.whole(count);
    expect(visitor.replies.map(({ status, body }) => `${status} ${body}`)).toEqual(
      Array(count).fill("200 ok"),
    );
    if (!transport.http2) {
      const connections = visitor.replies.map(({ headers }) => headers["connection"]);
      expect(connections).toEqual(["keep-alive", "keep-alive", "keep-alive", "close"]);
    }
    expect(await closed).toMatchObject({ drained: count, canceled: 0, destroyed: 0 });
    for (const ctx of server.seen) expect(cause(ctx)).toBeInstanceOf(RequestFinished);
    await until(() => visitor.ended && server.connections.size === 0, "nothing is left");
  });

  test("cancels a request at the end of the grace period, which gets a 503", async () => {
    await using server = await start(
      framework,
      transport,
      forever,
      {},
      { gracePeriod: 50, forceAfter: long },
    );
    const visitor = await server.visitor();
    visitor.get();
    await until(() => server.seen.length === 1);
    const closed = server.serving.close();
    const { status, headers } = await visitor.whole();
    expect([status, headers["retry-after"]]).toEqual([503, "1"]);
    if (!transport.http2) expect(headers["connection"]).toBe("close");
    expect(cause(server.ctx)).toBeInstanceOf(Shutdown);
    expect(await closed).toMatchObject({ drained: 0, canceled: 1, destroyed: 0 });
    await until(() => visitor.ended && server.connections.size === 0, "nothing is left");
  });

  test("cuts a stream off at the end of the grace period", async () => {
    const work: Work = (ctx) => parts(ctx);
    await using server = await start(
      framework,
      transport,
      work,
      {},
      { gracePeriod: 50, forceAfter: long },
    );
    const visitor = await server.visitor();
    visitor.get();
    await until(() => visitor.replies[0]?.body.includes("part 1") === true, "some parts");
    const report = await server.serving.close();
    expect(report).toMatchObject({ drained: 0, canceled: 1, destroyed: 0 });
    expect(cause(server.ctx)).toBeInstanceOf(Shutdown);
    const quietly = framework.failsQuietly ?? "never";
    const looksWhole = quietly === "always" || (quietly === "over HTTP/2" && transport.http2);
    if (looksWhole) await visitor.whole();
    else await until(() => visitor.replies[0]?.cut === true, "it looks cut off");
  });

  test("lets a stream that watches `draining` end by itself", async () => {
    const rows = async function* (ctx: Context) {
      for (const serving = () => server.serving; !serving().draining;) {
        yield "row\n";
        await sleep(ctx, 2);
      }
      yield "bye\n";
    };
    await using server = await start(framework, transport, rows, {}, { gracePeriod: long });
    const visitor = await server.visitor();
    visitor.get();
    await visitor.head();
    expect(await server.serving.close()).toMatchObject({ drained: 1, canceled: 0, destroyed: 0 });
    expect((await visitor.whole()).body).toMatch(/row\nbye\n$/);
    expect(cause(server.ctx)).toBeInstanceOf(RequestFinished);
  });

  test("destroys the connection of a handler that ignores its context", async () => {
    const held = gate();
    const ignoring: Work = () =>
      (async function* () {
        yield "a part";
        yield await answered(held);
      })();
    await using server = await start(
      framework,
      transport,
      ignoring,
      {},
      { gracePeriod: 20, forceAfter: 20 },
    );
    const visitor = await server.visitor();
    visitor.get();
    await visitor.head();
    const report = await server.serving.close();
    expect(report).toMatchObject({ drained: 0, canceled: 1, destroyed: 1 });
    expect(cause(server.ctx)).toBeInstanceOf(Shutdown);
    held.open();
  });
}

/** Tests the server that the framework creates itself, and not one that the suite creates. */
export function drainOwnServer(framework: FrameworkUnderTest): void {
  describe(`the server that ${framework.name} creates itself`, () => {
    test("lets one request finish and cancels another when it shuts down", async () => {
      const seen: Context[] = [];
      const held = gate();
      let n = 0;
      const work: Work = (ctx, body, reply) =>
        n++ === 0 ? answered(held) : forever(ctx, body, reply);
      const { server, serving } = await framework.served(watched(work, seen), {
        ...{ signals: [], gracePeriod: 200, forceAfter: long },
      });
      const [drains, stays] = [await visit(server), await visit(server)];
      drains.get();
      await until(() => seen.length === 1);
      stays.get();
      await until(() => seen.length === 2);
      const closed = serving.close();
      held.open();
      expect(await drains.whole()).toMatchObject({ status: 200, body: "ok" });
      expect(await stays.whole()).toMatchObject({
        ...{ status: 503, headers: { "retry-after": "1", connection: "close" } },
      });
      expect(seen.map(cause)).toEqual([expect.any(RequestFinished), expect.any(Shutdown)]);
      expect(await closed).toMatchObject({ drained: 1, canceled: 1, destroyed: 0 });
      expect(server.listening).toBe(false);
      await quiet(seen);
    });
  });
}
