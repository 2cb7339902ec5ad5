/** How a request can end: finished, failed, or left by its client. */
import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { cause, sleep, within } from "../../../src/index.ts";
import { ClientDisconnected, LocalTimeout, RequestFinished } from "../../../src/http/index.ts";
import { until } from "../../raw-http.ts";
import type { Transport } from "../transports/index.ts";
import {
  afterTheBody,
  asker,
  expectAll,
  forever,
  get,
  parts,
  post,
  start,
  type FrameworkUnderTest,
  type Work,
} from "./under-test.ts";

const secret = new Error("password=hunter2");

export function ends(framework: FrameworkUnderTest, transport: Transport): void {
  const ask = asker(framework, transport);

  describe.each([
    ["GET", get],
    ["POST", post],
  ])("%s", (method, how) => {
    test("the context finishes with the response, and the connection can be used again", async () => {
      const read = method === "POST";
      await using server = await ask(async (_, body) => (read && (await body()), "ok"), {}, how);
      expect(await server.asked.whole()).toMatchObject({ status: 200, body: "ok" });
      how(server.asked);
      await server.asked.whole(2);
      await until(() => server.seen.every((ctx) => ctx.err() !== undefined));
      expect(server.seen.map(cause)).toEqual(Array(2).fill(expect.any(RequestFinished)));
      expect(server.connections.size).toBe(1);
    });

    test("the context of a streamed response lives as long as the stream", async () => {
      await using server = await ask((ctx) => parts(ctx, 5), {}, how);
      expect((await server.asked.whole()).body).toMatch(/part 4/);
      await until(() => server.seen[0]?.err() !== undefined);
      expect(cause(server.ctx)).toBeInstanceOf(RequestFinished);
    });

    for (const leave of transport.leaves) {
      test(`the context is canceled when the client leaves by ${leave}, and the log says 499`, async () => {
        const work = method === "POST" ? afterTheBody : forever;
        await using server = await ask(work, {}, how);
        await until(() => server.seen.length === 1);
        await new Promise((resolve) => setTimeout(resolve, 20)); // time for a false alarm
        expect(server.ctx.err()).toBeUndefined();
        server.asked.leave(leave);
        await until(() => server.ctx.err() !== undefined);
        expect(cause(server.ctx)).toBeInstanceOf(ClientDisconnected);
        await until(() => server.logged.length === 1);
        // A fetch handler cannot set the status for the log, and over HTTP/2 no other code does.
        const unset = transport.http2 && framework.knowsConnection === false;
        expect(server.logged).toEqual([unset ? 200 : 499]);
      });

      test(`the context is canceled when the client leaves by ${leave} in the middle of a stream`, async () => {
        await using server = await ask((ctx) => parts(ctx), {}, how);
        await until(() => server.asked.replies[0]?.body.includes("part 1") === true, "some parts");
        server.asked.leave(leave);
        await until(() => server.ctx.err() !== undefined);
        expect(cause(server.ctx)).toBeInstanceOf(ClientDisconnected);
        await until(() => server.occupied.size === 0);
      });
    }

    test("a request that exceeds the timeout gets a 503, and the connection can be used again", async () => {
      await using server = await ask(forever, { timeout: 20 }, how);
      expect(await server.asked.head()).toMatchObject({
        ...{ status: 503, headers: { "retry-after": "1" } },
      });
      how(server.asked);
      await server.asked.head(2);
      expectAll(server.seen, LocalTimeout);
      expect(server.asked.replies.map(({ status }) => status)).toEqual([503, 503]);
      expect(server.connections.size).toBe(1);
    });

    test("a handler that fails gets the framework's own 500", async () => {
      await using server = await ask(() => Promise.reject(secret), {}, how);
      expect((await server.asked.head()).status).toBe(500);
      await until(() => server.ctx.err() !== undefined);
      expect(cause(server.ctx)).toBeInstanceOf(RequestFinished);
    });

    test("a handler whose inner deadline passes gets a 503", async () => {
      await using server = await ask(
        (ctx) => within(ctx, 5, (inner) => sleep(inner, Infinity)) as Promise<never>,
        {},
        how,
      );
      expect((await server.asked.head()).status).toBe(503);
    });
  });

  for (const leave of transport.leaves) {
    for (const [what, work] of [
      ["that waits", forever],
      ["that reads the body", afterTheBody],
    ] as const) {
      test(`the context is canceled when the client leaves by ${leave} with an unfinished body, with a handler ${what}`, async () => {
        await using server = await ask(work, {}, (visitor) => visitor.post("body", 100));
        await until(() => server.seen.length === 1);
        server.asked.leave(leave);
        await until(() => server.ctx.err() !== undefined);
        expect(cause(server.ctx)).toBeInstanceOf(ClientDisconnected);
        await until(() => server.occupied.size === 0);
        expect(server.logged).not.toContain(500);
      });
    }
  }

  test("the request of one client goes on when another client leaves", async () => {
    await using server = await start(framework, transport, forever);
    const [stays, leaves] = [await server.visitor(), await server.visitor()];
    stays.get();
    await until(() => server.seen.length === 1);
    leaves.get();
    await until(() => server.seen.length === 2);
    leaves.leave("RST");
    await until(() => server.seen[1]?.err() !== undefined);
    expect(server.ctx.err()).toBeUndefined();
    stays.leave("RST");
  });

  // An HTTP/1.1 connection has one request at a time.
  if (transport.http2) {
    test("one request of a session goes on when another one is reset", async () => {
      await using server = await ask(forever);
      await until(() => server.seen.length === 1);
      server.asked.get();
      await until(() => server.seen.length === 2);
      server.asked.leave("RST_STREAM");
      await until(() => server.seen[1]?.err() !== undefined);
      expect(server.seen.slice(1).map(cause)).toEqual([expect.any(ClientDisconnected)]);
      expect(server.ctx.err()).toBeUndefined();
      server.asked.leave("FIN");
    });
  }

  test("a connection that serves many requests does not collect listeners", async () => {
    let n = 0;
    const works: Work[] = [
      () => "ok",
      forever,
      () => Promise.reject(secret),
      () => Readable.from(["a part", "and another"]), // goes on after the end of its context
    ];
    await using server = await start(
      framework,
      transport,
      (ctx, body, reply) => works[n++ % works.length]?.(ctx, body, reply) ?? "",
      { timeout: 30 },
    );
    const visitor = await server.visitor();
    const counts: number[] = [];
    for (let i = 1; i <= 24; i++) {
      visitor.get();
      await visitor.head(i);
      await until(() => server.logged.length === i);
      await until(() => server.seen.every((ctx) => ctx.err() !== undefined));
      counts.push(
        [...server.connections].reduce(
          (sum, one) => one.eventNames().reduce((all, name) => all + one.listenerCount(name), sum),
          0,
        ),
      );
    }
    expect(server.connections.size).toBe(1);
    expect(counts.slice(-works.length)).toEqual(counts.slice(works.length, 2 * works.length));
  });
}
