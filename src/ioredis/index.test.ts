import { Cluster, Redis, type ChainableCommander, type RedisOptions } from "ioredis";
import { createClient } from "redis";
import { afterAll, beforeAll, expect, expectTypeOf, onTestFinished, test } from "vitest";
import { background, sleep, stopped, withCancel, withLedger, type Context } from "../index.ts";
import { startRedis, type RedisServer } from "../../servers/redis.ts";
import { describeOwnRedis, observeRedis } from "../../test/support/own-redis.ts";
import { until } from "../../test/support/wait.ts";
import { startProxy } from "../../test/support/proxy.ts";
import { withContext, type ClientLike } from "./index.ts";

describeOwnRedis("withContext of eightysix/ioredis", () => {
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

  /** Returns a client that closes with the test. */
  function testClient(
    options: Omit<RedisOptions, "replyMapping"> = {},
    at: { host: string; port: number } = server,
  ): Redis {
    const client = new Redis(at.port, at.host, {
      password: new URL(server.url).password,
      ...options,
    });
    client.on("error", () => undefined);
    onTestFinished(() => client.disconnect());
    return client;
  }

  test("keeps the driver's types of commands", () => {
    const type = async (client: Redis, ctx: Context) => {
      expectTypeOf(client).toExtend<ClientLike>();
      const db = withContext(client);
      expectTypeOf(await db.get(ctx, "k")).toEqualTypeOf<string | null>();
      expectTypeOf(await db.getBuffer(ctx, "k")).toEqualTypeOf<Buffer | null>();
      expectTypeOf(await db.set(ctx, "k", "v")).toEqualTypeOf<"OK">();
      expectTypeOf(await db.set(ctx, "k", "v", "EX", 10)).toEqualTypeOf<"OK">();
      expectTypeOf(await db.set(ctx, "k", "v", "EX", 10, "NX")).toEqualTypeOf<"OK" | null>();
      expectTypeOf(await db.set(ctx, "k", "v", "EX", 9, "NX", "GET")).toEqualTypeOf<
        string | null
      >();
      expectTypeOf(await db.hgetall(ctx, "k")).toEqualTypeOf<Record<string, string>>();
      expectTypeOf(await db.blpop(ctx, "k", "l", 0)).toEqualTypeOf<[string, string] | null>();
      expectTypeOf(await db.del(ctx, "a", "b")).toEqualTypeOf<number>();
      expectTypeOf(await db.del(ctx, ["a", "b"])).toEqualTypeOf<number>();
      expectTypeOf(await db.xread(ctx, "BLOCK", 0, "STREAMS", "k", "0")).toEqualTypeOf(
        await client.xread("BLOCK", 0, "STREAMS", "k", "0"),
      );
      expectTypeOf(await db.scan(ctx, 0)).toEqualTypeOf<[cursor: string, elements: string[]]>();
      expectTypeOf(await db.call(ctx, "GET", "k")).toEqualTypeOf<unknown>();
      expectTypeOf(await db.exec(ctx, client.pipeline().get("k"))).toEqualTypeOf<
        Awaited<ReturnType<ChainableCommander["exec"]>>
      >();
      expectTypeOf(db.scanStream(ctx, { match: "a*" })).toEqualTypeOf(client.scanStream());
      // @ts-expect-error -- the context comes first
      await db.get("k");
      // @ts-expect-error -- and then a key
      await db.get(ctx);
      // @ts-expect-error -- no callbacks
      await db.get(ctx, "k", () => undefined);
      expectTypeOf(db).not.toHaveProperty("subscribe"); // not a command
    };
    expect(type).toBeTypeOf("function");
  });

  test("has the client's commands, and no other members of the client", async () => {
    const client = testClient({ keyPrefix: "p:" });
    const db = withContext(client);
    const ctx = background();
    expect(await db.set(ctx, "k", "v", "EX", 10)).toBe("OK");
    expect(await look.client.get("p:k")).toBe("v");
    expect(await db.getBuffer(ctx, "k")).toEqual(Buffer.from("v"));
    expect(await db.hset(ctx, "h", { a: "1" })).toBe(1);
    expect(await db.hgetall(ctx, "h")).toEqual({ a: "1" });
    await db.rpush(ctx, "l", "x");
    expect(await db.blpopBuffer(ctx, "l", 0)).toEqual([Buffer.from("p:l"), Buffer.from("x")]);
    expect(await db.exec(ctx, client.multi().incr("n").get("k"))).toEqual([
      [null, 1],
      [null, "v"],
    ]);
    expect((await db.exec(ctx, client.pipeline().hget("k", "f")))?.[0]?.[0]).toBeInstanceOf(Error);
    for (const name of ["subscribe", "connect", "on", "options", "then", "quit", "multi"]) {
      expect((db as unknown as Record<string, unknown>)[name]).toBeUndefined();
    }
    const take = db.get as (...args: unknown[]) => Promise<unknown>;
    await expect(take(ctx, "k", () => undefined)).rejects.toThrow(/leave the callback out/);
  });

  test("runs scripts of defineCommand, even if the server has forgotten them", async () => {
    const client = testClient();
    client.defineCommand("twice", {
      numberOfKeys: 1,
      lua: "return redis.call('GET', KEYS[1]) * 2",
    });
    const db = withContext(client) as unknown as {
      twice(ctx: Context, key: string): Promise<number>;
    };
    await client.set("two", "2");
    expect(await db.twice(background(), "two")).toBe(4);
    expect(await db.twice(background(), "two")).toBe(4);
    await look.client.scriptFlush();
    expect(await db.twice(background(), "two")).toBe(4);
  });

  test("works beside automatic pipelining", async () => {
    const client = testClient({ enableAutoPipelining: true });
    const db = withContext(client);
    const all = [client.incr("auto"), db.incr(background(), "auto"), client.incr("auto")];
    expect((await Promise.all(all)).sort()).toEqual([1, 2, 3]);
  });

  test("runs a blocking command in the selected database, without a command timeout", async () => {
    const client = testClient({ commandTimeout: 100, blockingTimeout: 100 });
    await client.select(5);
    const db = withContext(client);
    const pop = db.blpop(background(), "later", 0);
    await until(async () => (await look.blocked()) === 1);
    await sleep(background(), 200);
    await client.rpush("later", "x");
    expect(await pop).toEqual(["later", "x"]);
  });

  test("runs a blocking command while the client is in subscriber mode", async () => {
    const client = testClient({ protocol: 2 });
    await client.subscribe("channel");
    using ctx = withCancel(background());
    const answer = withContext(client)
      .blpop(ctx, "nothing", 0)
      .catch((e: unknown) => e);
    await until(async () => (await look.blocked()) === 1);
    ctx.cancel();
    expect(await answer).toBe(ctx.err());
  });

  test("does not send a command again if its context ended after the connection broke", async () => {
    const proxy = await startProxy(server);
    const client = testClient({ retryStrategy: () => 200 }, proxy);
    const db = withContext(client, { stopTimeout: 5_000 });
    await client.ping();
    proxy.links[0]?.stall();
    using ctx = withCancel(withLedger(background()));
    const answer = db.incr(ctx, "again").catch((e: unknown) => e);
    const patient = db.incrby(background(), "again", 100);
    proxy.links[0]?.reset();
    await until(() => client.status === "reconnecting");
    ctx.cancel();
    expect(await answer).toBe(ctx.err());
    expect(await stopped(ctx)).toMatchObject([{ kind: "ioredis.command", what: "INCR" }]);
    expect(await patient).toBe(100);
  });

  test("reports no error of a canceled scan stream when its client disconnects", async () => {
    const client = testClient();
    await look.client.mSet(Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`s${i}`, ""])));
    using ctx = withCancel(background());
    const stream = withContext(client).scanStream(ctx, { count: 1 });
    const ended = new Promise((resolve) => stream.once("error", resolve));
    stream.resume();
    await new Promise((resolve) => stream.once("data", resolve));
    ctx.cancel();
    expect(await ended).toBe(ctx.err());
    client.disconnect();
  });
});

test("withContext of eightysix/ioredis throws for anything but a Redis of ioredis", () => {
  const take = withContext as (client: unknown) => unknown;
  const cluster = new Cluster([{ port: 1 }], { lazyConnect: true });
  for (const wrong of [undefined, {}, cluster]) {
    expect(() => take(wrong)).toThrow(/ioredis takes a Redis of ioredis, got/);
  }
  expect(() => take(createClient())).toThrow(
    'got a client of redis; import withContext from "eightysix/redis"',
  );
});

test("withContext of eightysix/ioredis throws for an unknown or wrong option", () => {
  const redis = new Redis({ lazyConnect: true });
  const take = (options: object): unknown => withContext(redis, options);
  expect(() => take({ maxBlocked: 3 })).toThrow(/unknown option "maxBlocked"/);
  expect(() => take({ stopTimeout: NaN })).toThrow(/stopTimeout is a finite number/);
});
