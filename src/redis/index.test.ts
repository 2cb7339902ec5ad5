import { Redis } from "ioredis";
import { createClient, createClientPool, RESP_TYPES } from "redis";
import { afterAll, beforeAll, describe, expect, expectTypeOf, onTestFinished, test } from "vitest";
import { background, CanceledError, withCancel, type Context } from "../index.ts";
import { startRedis, type RedisServer } from "../../servers/redis.ts";
import { describeOwnRedis, observeRedis } from "../../test/support/own-redis.ts";
import { until } from "../../test/support/wait.ts";
import { withContext, type ClientLike } from "./index.ts";

describeOwnRedis("withContext of eightysix/redis", () => {
  let server: RedisServer;
  let look: Awaited<ReturnType<typeof observeRedis>>;
  beforeAll(async () => {
    server = await startRedis();
    look = await observeRedis(server.url);
  });
  afterAll(async () => {
    look.close();
    await server.stop();
  });

  /** Returns a connected client that closes with the test. */
  async function testClient() {
    const client = createClient({ url: server.url });
    client.on("error", () => undefined);
    await client.connect();
    onTestFinished(() => client.destroy());
    return client;
  }

  test("keeps the driver's types of commands", () => {
    const type = async (client: Awaited<ReturnType<typeof testClient>>, ctx: Context) => {
      expectTypeOf(client).toExtend<ClientLike>();
      const db = withContext(client);
      expectTypeOf(await db.get(ctx, "k")).toEqualTypeOf<string | null>();
      expectTypeOf(await db.set(ctx, "k", "v", { EX: 10, NX: true })).toEqualTypeOf(
        await client.set("k", "v", { EX: 10, NX: true }),
      );
      expectTypeOf(await db.hGetAll(ctx, "k")).toEqualTypeOf<Record<string, string>>();
      expectTypeOf(await db.blPop(ctx, "k", 0)).toEqualTypeOf(await client.blPop("k", 0));
      expectTypeOf(await db.json.get(ctx, "k")).toEqualTypeOf(await client.json.get("k"));
      expectTypeOf(await db.exec(ctx, client.multi().incr("n").get("k").exists("k"))).toEqualTypeOf<
        [number, string | null, number]
      >();
      expectTypeOf(await db.sendCommand<string[]>(ctx, ["KEYS", "*"])).toEqualTypeOf<string[]>();
      const bytes = withContext(client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }));
      expectTypeOf(await bytes.get(ctx, "k")).toEqualTypeOf<Buffer | null>();
      for await (const keys of db.scanIterator(ctx, { MATCH: "a*" })) {
        expectTypeOf(keys).toEqualTypeOf<string[]>();
      }
      // @ts-expect-error -- the context comes first
      await db.get("k");
      // @ts-expect-error -- and then a key
      await db.get(ctx);
      expectTypeOf(db).not.toHaveProperty("subscribe"); // not a command
    };
    expect(type).toBeTypeOf("function");
  });

  test("has the client's commands, and no other members of the client", async () => {
    const client = await testClient();
    const db = withContext(client);
    const ctx = background();
    expect(await db.SET(ctx, "k", "v")).toBe("OK");
    expect(await db.hSet(ctx, "h", { a: "1", b: "2" })).toBe(2);
    expect(await db.hGetAll(ctx, "h")).toEqual(await client.hGetAll("h"));
    expect(await db.exec(ctx, client.multi().incr("n").get("k"))).toEqual([1, "v"]);
    expect(await db.execAsPipeline(ctx, client.multi().incr("n").get("k"))).toEqual([2, "v"]);
    await expect(db.exec(ctx, client.multi().hGet("k", "f"))).rejects.toThrow(/failed/);
    await expect(db.json.get(ctx, "k")).rejects.toThrow(/unknown command/);
    const bytes = withContext(client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }));
    expect(await bytes.get(ctx, "k")).toEqual(Buffer.from("v"));
    for (const name of ["subscribe", "connect", "on", "options", "then", "_self", "multi"]) {
      expect((db as unknown as Record<string, unknown>)[name]).toBeUndefined();
    }
  });

  test("runs a blocking command with the client's type mapping and database", async () => {
    const client = createClient({ url: `${server.url}/3` });
    await client.connect();
    onTestFinished(() => client.destroy());
    const db = withContext(client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }));
    await client.rPush("typed", "x");
    expect((await db.blPop(background(), "typed", 0))?.element).toEqual(Buffer.from("x"));
  });

  test("runs xRead on a connection of its own only with BLOCK", async () => {
    const client = await testClient();
    const db = withContext(client);
    expect(await db.xRead(background(), { key: "s", id: "0" })).toBe(null);
    expect(await look.connections()).toBe(1);
    using ctx = withCancel(background());
    const read = db.xRead(ctx, { key: "s", id: "$" }, { BLOCK: 0 });
    const answer = read.catch((e: unknown) => e);
    await until(async () => (await look.blocked()) === 1);
    ctx.cancel();
    expect(await answer).toBe(ctx.err());
  });

  test("runs a blocking command while the client is in subscriber mode", async () => {
    const client = createClient({ url: server.url, RESP: 2 });
    await client.connect();
    onTestFinished(() => client.destroy());
    await client.subscribe("channel", () => undefined);
    using ctx = withCancel(background());
    const answer = withContext(client)
      .blPop(ctx, "nothing", 0)
      .catch((e: unknown) => e);
    await until(async () => (await look.blocked()) === 1);
    ctx.cancel();
    expect(await answer).toBe(ctx.err());
  });

  test("with a client-side cache, does not cancel other callers that ask for the same key", async () => {
    const client = createClient({ url: server.url, RESP: 3, clientSideCache: {} });
    await client.connect();
    onTestFinished(() => client.destroy());
    await client.set("shared", "1");
    const db = withContext(client);
    using ctx = withCancel(background());
    const guilty = db.get(ctx, "shared").catch((e: unknown) => e);
    const innocent = db.get(background(), "shared");
    ctx.cancel();
    expect(await innocent).toBe("1");
    expect(["1", ctx.err()]).toContain(await guilty);
  });

  describe("a command that waits in the client's queue", () => {
    test("is withdrawn, even if it belongs to a module or a transaction", async () => {
      const client = createClient({ socket: { port: 1, reconnectStrategy: 20 } });
      client.on("error", () => undefined);
      client.connect().catch(() => undefined);
      onTestFinished(() => client.destroy());
      const db = withContext(client);
      using ctx = withCancel(background());
      const answers = [
        db.get(ctx, "k"),
        db.json.get(ctx, "k"),
        db.exec(ctx, client.multi().get("k")),
      ];
      const settled = Promise.allSettled(answers);
      ctx.cancel();
      for (const one of await settled) {
        expect(one).toMatchObject({ status: "rejected", reason: ctx.err() });
      }
    });

    test("rejects with the driver's error if the client has no queue", async () => {
      const client = createClient({
        socket: { port: 1, reconnectStrategy: 20 },
        disableOfflineQueue: true,
      });
      client.on("error", () => undefined);
      client.connect().catch(() => undefined);
      onTestFinished(() => client.destroy());
      const db = withContext(client);
      await expect(db.get(background(), "k")).rejects.toThrow("The client is offline");
      await expect(db.exec(background(), client.multi().get("k"))).rejects.toThrow(/offline/);
    });
  });

  test("passes on the error of the caller's own AbortSignal", async () => {
    const client = await testClient();
    const db = withContext(client);
    const error: unknown = await db
      .sendCommand(background(), ["GET", "k"], { abortSignal: AbortSignal.abort() })
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(CanceledError);
  });
});

test("withContext of eightysix/redis throws for anything but a client of redis", () => {
  const take = withContext as (client: unknown) => unknown;
  for (const wrong of [undefined, {}, createClientPool()]) {
    expect(() => take(wrong)).toThrow(/redis takes a client of redis, .*got/);
  }
  expect(() => take(new Redis({ lazyConnect: true }))).toThrow(
    'got a client of ioredis; import withContext from "eightysix/ioredis"',
  );
});

test("withContext of eightysix/redis throws for an unknown or wrong option", () => {
  const take = (options: object): unknown => withContext(createClient(), options);
  expect(() => take({ maxBlocked: 3 })).toThrow(/unknown option "maxBlocked"/);
  expect(() => take({ stopTimeout: NaN })).toThrow(/stopTimeout is a finite number/);
});
