/** What both Redis adapters guarantee, tested with the same tests on a server of their own. */
import { Redis } from "ioredis";
import { createClient } from "redis";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import {
  background,
  CanceledError,
  DeadlineExceededError,
  sleep,
  stopped,
  withCancel,
  withLedger,
  withTimeout,
  working,
  type Context,
} from "../src/index.ts";
import { withContext as withIoredis } from "../src/ioredis/index.ts";
import { withContext as withRedis, type WithContextOptions } from "../src/redis/index.ts";
import { startRedis, type RedisServer } from "../servers/redis.ts";
import { describeOwnRedis, observeRedis } from "./support/own-redis.ts";
import { tell } from "./support/race.ts";
import { until } from "./support/wait.ts";
import { startProxy, type Link } from "./support/proxy.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const SEED = Number(process.env["EIGHTYSIX_TEST_SEED"] ?? 86);
const RACES = Number(process.env["EIGHTYSIX_TEST_CANCELS"] ?? 300);
const STOP_TIMEOUT = 300;

type Blpop = Promise<readonly [key: string, element: string] | null>;

interface Db {
  call(ctx: Context, ...args: string[]): Promise<unknown>;
  blpop(ctx: Context, key: string, seconds?: number): Blpop;
  /** Two INCRs in a transaction. */
  transact(ctx: Context, key: string): Promise<unknown>;
  keys(ctx: Context): AsyncIterable<string[]>;
  close(): void;
  /** Sends a command on the user's own client, without a context. */
  raw(...args: string[]): Promise<unknown>;
  ready(): boolean;
  end(): Promise<void>;
}

type Open = (url: string, options?: WithContextOptions) => Promise<Db>;

const drivers: [string, Open][] = [
  [
    "redis",
    async (url, options) => {
      const client = createClient({ url, socket: { reconnectStrategy: 20 } });
      client.on("error", () => undefined);
      await client.connect();
      const db = withRedis(client, options);
      return {
        call: (ctx, ...args) => db.sendCommand(ctx, args),
        blpop: async (ctx, key, seconds = 0) => {
          const answer = await db.blPop(ctx, key, seconds);
          return answer && [answer.key, answer.element];
        },
        transact: (ctx, key) => db.exec(ctx, client.multi().incr(key).incr(key)),
        keys: (ctx) => db.scanIterator(ctx, { COUNT: 10 }),
        close: () => db.close(),
        raw: (...args) => client.sendCommand(args),
        ready: () => client.isReady,
        end: async () => void (client.isOpen && client.destroy()),
      };
    },
  ],
  [
    "ioredis",
    async (url, options) => {
      const client = new Redis(url, {
        retryStrategy: () => 20,
        maxRetriesPerRequest: null,
        lazyConnect: true,
      });
      client.on("error", () => undefined);
      await client.connect();
      const db = withIoredis(client, options);
      return {
        call: (ctx, name = "", ...args) => db.call(ctx, name, ...args),
        blpop: (ctx, key, seconds = 0) => db.blpop(ctx, key, seconds),
        transact: async (ctx, key) => {
          const replies = await db.exec(ctx, client.multi().incr(key).incr(key));
          return replies?.map(([, reply]) => reply);
        },
        keys: (ctx) => db.scanStream(ctx, { count: 10 }) as AsyncIterable<string[]>,
        close: () => db.close(),
        raw: (name = "", ...args) => client.call(name, ...args),
        ready: () => client.status === "ready",
        end: async () => {
          client.disconnect();
        },
      };
    },
  ],
];

const unhandled: unknown[] = [];
const listen = (reason: unknown): void => void unhandled.push(reason);

let unique = 0;
const key = (): string => `key:${++unique}`;

/** Resolves with what the promise rejects with. Rejects if it resolves. */
const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => {
      throw new Error(`resolved with ${JSON.stringify(value)}`);
    },
    (error: unknown) => error,
  );

/** mulberry32, which returns the same numbers for the same seed. */
function random(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

test("withContext of both Redis adapters throws if maxBlocking is not a positive integer", () => {
  for (const maxBlocking of [0, NaN, 1.5]) {
    expect(() => withRedis(createClient(), { maxBlocking })).toThrow(TypeError);
    expect(() => withIoredis(new Redis({ lazyConnect: true }), { maxBlocking })).toThrow(TypeError);
  }
});

describeOwnRedis.each(drivers)("withContext of eightysix/%s", (_, open) => {
  let server: RedisServer;
  let look: Awaited<ReturnType<typeof observeRedis>>;
  beforeAll(async () => {
    process.on("unhandledRejection", listen);
    server = await startRedis();
    look = await observeRedis(server.url);
  });
  afterAll(async () => {
    look.close();
    await server.stop();
    process.off("unhandledRejection", listen);
    expect(unhandled).toEqual([]);
  });

  /** Returns a database that closes with the test, and checks that no connection remains. */
  async function database(options?: WithContextOptions, url = server.url): Promise<Db> {
    const db = await open(url, options);
    onTestFinished(async () => {
      await db.end();
      if (url === server.url) await until(async () => (await look.connections()) === 0);
    });
    return db;
  }

  test("answers commands as the driver does without a context", async () => {
    const db = await database();
    const k = key();
    expect(await db.call(background(), "SET", k, "1")).toBe("OK");
    expect(await db.call(background(), "GET", k)).toBe("1");
    expect(await db.transact(background(), k)).toEqual([2, 3]);
    expect(await db.blpop(background(), key(), 0.01)).toBe(null);
    expect(await failure(db.call(background(), "INCR"))).toMatchObject({
      message: expect.stringContaining("wrong number of arguments") as unknown,
    });
  });

  test("stops a canceled BLPOP on the server, and uses its connection again", async () => {
    const db = await database();
    const k = key();
    for (let i = 0; i < 3; i++) {
      using ctx = withCancel(withLedger(background()));
      const pop = db.blpop(ctx, k);
      const answer = failure(pop);
      await until(async () => (await look.blocked()) === 1);
      const why = new Error("the client left");
      ctx.cancel(why);
      const error = await answer;
      expect(await look.blocked()).toBe(0);
      expect(error).toBe(ctx.err());
      expect(error).toBeInstanceOf(CanceledError);
      expect((error as Error).cause).toBe(why);
      expect(await stopped(ctx)).toMatchObject([{ what: "BLPOP", state: "stopped" }]);
      expect(await look.connections()).toBe(3); // the client's, the BLPOP's, and one for UNBLOCK
    }
    await look.client.rPush(k, "for the next");
    expect(await db.blpop(background(), k)).toEqual([k, "for the next"]);
  });

  test("stops a BLPOP on the server when its deadline passes", async () => {
    const db = await database();
    using ctx = withTimeout(background(), 50);
    expect(await failure(db.blpop(ctx, key()))).toBeInstanceOf(DeadlineExceededError);
    expect(await look.blocked()).toBe(0);
  });

  test.each([
    ["BRPOP", "?", "0"],
    ["BLMOVE", "?", "other", "LEFT", "RIGHT", "0"],
    ["BRPOPLPUSH", "?", "other", "0"],
    ["BZPOPMIN", "?", "0"],
    ["BZPOPMAX", "?", "0"],
    ["BLMPOP", "0", "1", "?", "LEFT"],
    ["BZMPOP", "0", "1", "?", "MIN"],
    ["XREAD", "BLOCK", "0", "STREAMS", "?", "$"],
    ["XREADGROUP", "GROUP", "g", "me", "BLOCK", "0", "STREAMS", "?", ">"],
  ])(
    "stops a canceled %s on the server, and other commands run meanwhile",
    async (name, ...args) => {
      const db = await database();
      const k = key();
      if (name === "XREADGROUP") await db.raw("XGROUP", "CREATE", k, "g", "$", "MKSTREAM");
      using ctx = withCancel(background());
      const answer = failure(db.call(ctx, name, ...args.map((arg) => (arg === "?" ? k : arg))));
      await until(async () => (await look.blocked()) === 1);
      expect(await db.call(background(), "PING")).toBe("PONG");
      ctx.cancel();
      expect(await answer).toBe(ctx.err());
      expect(await look.blocked()).toBe(0);
    },
  );

  test("sends XREAD on the client if BLOCK is only the name of a stream", async () => {
    const db = await database();
    expect(await db.call(background(), "XREAD", "STREAMS", "BLOCK", "0")).toBe(null);
    expect(await look.connections()).toBe(1);
  });

  test("stops a BLPOP while the client itself is blocked", async () => {
    const db = await database();
    const held = db.raw("BLPOP", key(), "0").catch(() => undefined);
    using ctx = withCancel(background());
    const answer = failure(db.blpop(ctx, key()));
    await until(async () => (await look.blocked()) === 2);
    ctx.cancel();
    expect(await answer).toBe(ctx.err());
    await db.end();
    await held;
  });

  test("sends nothing if the context is done already", async () => {
    const db = await database();
    const k = key();
    using ctx = withCancel(background());
    ctx.cancel();
    expect(await failure(db.call(ctx, "SET", k, "1"))).toBe(ctx.err());
    expect(await failure(db.transact(ctx, k))).toBe(ctx.err());
    expect(await failure(db.blpop(ctx, k))).toBe(ctx.err());
    expect(await db.raw("EXISTS", k)).toBe(0);
    expect(await look.connections()).toBe(1);
  });

  test("rejects with a TypeError if the context is missing", async () => {
    const db = await database();
    const error = await failure(db.blpop("jobs" as unknown as Context, "0"));
    expect(error).toBeInstanceOf(TypeError);
    expect(String(error)).toMatch(/needs a Context as its first argument, got the string "jobs"/);
  });

  test("rejects with the driver's error if another client sends the UNBLOCK", async () => {
    const db = await database();
    const answer = failure(db.blpop(background(), key()));
    await until(async () => (await look.blocked()) === 1);
    const list = String(await look.client.sendCommand(["CLIENT", "LIST"]));
    const id = list
      .split("\n")
      .find((line) => / flags=\w*b/.test(line))!
      .match(/id=(\d+)/)![1]!;
    await look.client.sendCommand(["CLIENT", "UNBLOCK", id, "ERROR"]);
    expect(String(await answer)).toContain("UNBLOCKED");
  });

  test("abandons a script after the stop timeout, and the client works again when the script has ended", async () => {
    const db = await database({ stopTimeout: 50 });
    using ctx = withCancel(withLedger(background()));
    const endless = "local n = 0; for i = 1, 100000000 do n = n + 1 end; return n";
    const answer = failure(db.call(ctx, "EVAL", endless, "0"));
    await sleep(background(), 20);
    ctx.cancel();
    expect(await answer).toBe(ctx.err());
    expect(await stopped(ctx)).toMatchObject([{ what: "EVAL", state: "abandoned" }]);
    expect(await db.call(background(), "PING")).toBe("PONG"); // when the script has ended
  });

  test("sends WAIT on the client, whose writes it asks about, and abandons it after the stop timeout", async () => {
    const db = await database({ stopTimeout: 50 });
    expect(await db.call(background(), "WAIT", "0", "0")).toBe(0);
    using ctx = withCancel(withLedger(background()));
    await db.call(ctx, "SET", key(), "1");
    const answer = failure(db.call(ctx, "WAIT", "1", "300"));
    await sleep(background(), 20);
    ctx.cancel();
    expect(await answer).toBe(ctx.err());
    expect(await stopped(ctx)).toMatchObject([{ what: "WAIT", state: "abandoned" }]);
    expect(await look.connections()).toBe(1);
    expect(await db.call(background(), "PING")).toBe("PONG");
  });

  test("removes a BLPOP from the queue for connections when its context ends, and keeps the order", async () => {
    const db = await database({ maxBlocking: 2 });
    using ctx = withCancel(background());
    using leaves = withCancel(background());
    const blocked = [db.blpop(ctx, key()), db.blpop(ctx, key())].map(failure);
    await until(async () => (await look.blocked()) === 2);
    const k = key();
    const left = failure(db.blpop(leaves, k));
    const next = db.blpop(background(), k);
    leaves.cancel();
    expect(await left).toBe(leaves.err());
    expect(await look.connections()).toBe(4);
    await look.client.rPush(k, "x");
    ctx.cancel();
    await Promise.all(blocked);
    expect(await next).toEqual([k, "x"]);
  });

  test("ends 200 BLPOPs that are canceled at once, and keeps their connections usable", async () => {
    const db = await database({ maxBlocking: 8 });
    using ctx = withCancel(background());
    const answers = Array.from({ length: 200 }, () => failure(db.blpop(ctx, key())));
    await until(async () => (await look.blocked()) === 8);
    ctx.cancel();
    for (const answer of answers) expect(await answer).toBe(ctx.err());
    expect(await look.blocked()).toBe(0);
    expect(await look.connections()).toBe(10);
    const k = key();
    const pops = Array.from({ length: 8 }, () => db.blpop(background(), k));
    await until(async () => (await look.blocked()) === 8);
    const elements = "a b c d e f g h".split(" ");
    await look.client.rPush(k, elements);
    expect((await Promise.all(pops)).map((pop) => pop?.[1]).sort()).toEqual(elements);
  });

  test("leaves a connection that is still opening to the next command", async () => {
    const db = await database();
    using ctx = withCancel(background());
    const answer = failure(db.blpop(ctx, key()));
    ctx.cancel();
    expect(await answer).toBe(ctx.err());
    const k = key();
    await look.client.rPush(k, "x");
    expect(await db.blpop(background(), k)).toEqual([k, "x"]);
    expect(await look.connections()).toBeLessThanOrEqual(3);
  });

  test(
    `loses no element and hits no other command in ${RACES} cancels that race a push`,
    async () => {
      const draw = random(SEED);
      const db = await database({ maxBlocking: 4 });
      const lists: string[] = [];
      const innocentKey = key();
      const got: string[] = [];
      const count = { canceled: 0, late: 0, innocent: 0 };
      let victims = 0;
      const root = withLedger(background());
      const race = async (i: number): Promise<void> => {
        using ctx = withCancel(root);
        // Each has a list of its own: an element that a canceled BLPOP leaves would answer the next at once.
        const k = key();
        lists.push(k);
        const pop = db.blpop(ctx, k);
        // The push and the cancel come at about the same time, on two connections, in either order.
        const at = draw() * 3;
        const later = (fn: () => unknown, delay: number) =>
          new Promise<void>((resolve) =>
            setTimeout(() => void Promise.resolve(fn()).then(() => resolve()), delay),
          );
        const pushed = later(() => look.client.rPush(k, `e${i}`), at);
        const canceled = later(() => ctx.cancel(), at + (draw() - 0.4) * 2);
        try {
          got.push((await pop)![1]);
          if (ctx.err() !== undefined) count.late++;
        } catch (error) {
          expect(error).toBe(ctx.err());
          count.canceled++;
        }
        await Promise.all([pushed, canceled]);
      };
      const innocent = async (i: number): Promise<void> => {
        victims++; // until the BLPOP is answered
        const pop = db.blpop(root, innocentKey);
        await look.client.rPush(innocentKey, `i${i}`);
        expect((await pop)![0]).toBe(innocentKey);
        victims--;
        count.innocent++;
      };
      let left = RACES;
      const worker = async (): Promise<void> => {
        while (left > 0) {
          const i = left--;
          await race(i);
          if (draw() < 0.5) await innocent(i);
        }
      };
      const over = await Promise.allSettled([worker(), worker(), worker()]);
      const leaked = working(root);
      const late = RACES - count.canceled; // the answer came before the cancel
      tell({ ...count, late, victims, leaked: leaked.length });
      for (const one of over) if (one.status === "rejected") throw one.reason;
      expect(leaked).toEqual([]);

      const rest: string[] = [];
      for (const k of lists) rest.push(...(await look.client.lRange(k, 0, -1)));
      const all = Array.from({ length: RACES }, (_, i) => `e${i + 1}`).sort();
      expect([...got, ...rest].sort()).toEqual(all);
      expect(count.canceled).toBeGreaterThan(0);
      expect(got.length).toBeGreaterThan(0);
      expect(count.innocent).toBeGreaterThan(0);
      expect(await look.client.lLen(innocentKey)).toBe(0);
      expect(await look.connections()).toBeLessThanOrEqual(6); // no connection was replaced
    },
    60_000 + RACES * 50,
  );

  test("close() closes the connections of blocking commands, and the client still works", async () => {
    const db = await database();
    const answer = failure(db.blpop(background(), key()));
    await until(async () => (await look.blocked()) === 1);
    db.close();
    expect(await answer).toBeInstanceOf(Error);
    await until(async () => (await look.connections()) === 1);
    expect(await db.call(background(), "PING")).toBe("PONG");
    expect(String(await failure(db.blpop(background(), key())))).toContain("closed");
  });

  test("close() also closes a connection that is still opening", async () => {
    const db = await database();
    const answer = failure(db.blpop(background(), key()));
    await new Promise(setImmediate);
    db.close();
    expect(await answer).toBeInstanceOf(Error);
    await sleep(background(), 50);
    expect(await look.connections()).toBe(1);
  });

  test("closes its connections with the client, and rejects later commands with the driver's error", async () => {
    const db = await database();
    const answer = failure(db.blpop(background(), key()));
    await until(async () => (await look.blocked()) === 1);
    await db.end();
    expect(await answer).toBeInstanceOf(Error);
    await until(async () => (await look.connections()) === 0);
    expect(String(await failure(db.blpop(background(), key())))).toMatch(/closed/);
  });

  test("ends a scan when its context ends", async () => {
    const db = await database();
    await look.client.mSet(
      Object.fromEntries(Array.from({ length: 500 }, (_, i) => [key(), `${i}`])),
    );
    let all = 0;
    for await (const page of db.keys(background())) all += page.length;
    expect(all).toBeGreaterThanOrEqual(500);
    using ctx = withCancel(background());
    const scan = async (): Promise<void> => {
      let pages = 0;
      for await (const _page of db.keys(ctx)) if (++pages === 2) ctx.cancel();
    };
    expect(await failure(scan())).toBe(ctx.err());
  });

  describe("on a failing network", () => {
    /** Returns a client behind a proxy, whose `target` can be changed. */
    async function behindProxy(onLink?: (link: Link) => void) {
      const target = { host: server.host, port: server.port };
      const proxy = await startProxy(target, onLink);
      const url = new URL(server.url);
      url.host = `${proxy.host}:${proxy.port}`;
      const db = await database({ stopTimeout: STOP_TIMEOUT }, url.href);
      return { db, proxy, target };
    }
    const works = async (db: Db): Promise<void> => {
      const k = key();
      await until(() =>
        db.call(background(), "RPUSH", k, "x").then(
          () => true,
          () => false,
        ),
      );
      expect(await db.blpop(background(), k)).toEqual([k, "x"]);
    };
    const timed = async (answer: Promise<unknown>): Promise<[unknown, number]> => {
      const start = performance.now();
      return [await answer, performance.now() - start];
    };
    // Link 0 is the client's, link 1 the BLPOP's, and link 2 the one for UNBLOCK.
    test.each(["stall", "reset"] as const)(
      "survives a %s of the connection of a BLPOP",
      async (what) => {
        const { db, proxy } = await behindProxy();
        using ctx = withCancel(withLedger(background()));
        const answer = db.blpop(ctx, key()).catch((e: unknown) => e);
        await until(async () => (await look.blocked()) === 1);
        proxy.links[1]!.stall();
        if (what === "reset") proxy.links[1]!.reset();
        ctx.cancel();
        const [error, took] = await timed(answer);
        if (what === "stall") {
          expect(error).toBe(ctx.err());
          expect(await stopped(ctx)).toMatchObject([{ state: "abandoned" }]);
        } else expect(error).toBeInstanceOf(Error);
        expect(took).toBeLessThan(STOP_TIMEOUT + 1_000);
        await works(db);
      },
    );

    test.each(["stall", "reset"] as const)(
      "survives a %s of the connection for UNBLOCK",
      async (what) => {
        const { db, proxy } = await behindProxy((link) => link.index === 2 && link[what]());
        using ctx = withCancel(background());
        const answer = db.blpop(ctx, key()).catch((e: unknown) => e);
        await until(async () => (await look.blocked()) === 1);
        ctx.cancel();
        const [error, took] = await timed(answer);
        expect(error).toBe(ctx.err());
        expect(took).toBeLessThan(STOP_TIMEOUT + 1_000);
        await until(async () => (await look.blocked()) === 0);
        await works(db);
        using again = withCancel(background());
        const next = failure(db.blpop(again, key()));
        await until(async () => (await look.blocked()) === 1);
        again.cancel();
        expect(await next).toBe(again.err());
        expect(proxy.links.length).toBeGreaterThan(3);
      },
    );

    test("survives a stall of the connection for UNBLOCK after it was used", async () => {
      const { db, proxy } = await behindProxy();
      await works(db);
      await until(() => proxy.links.length === 3);
      await sleep(background(), 50);
      proxy.links[2]!.stall();
      using ctx = withCancel(withLedger(background()));
      const answer = failure(db.blpop(ctx, key()));
      await until(async () => (await look.blocked()) === 1);
      ctx.cancel();
      const [error, took] = await timed(answer);
      expect(error).toBe(ctx.err());
      expect(took).toBeLessThan(STOP_TIMEOUT + 1_000);
      expect(await stopped(ctx)).toMatchObject([{ state: "abandoned" }]);
      await until(async () => (await look.blocked()) === 0);
      await works(db);
    });

    test("rejects a blocked and a canceled BLPOP if the server is killed, and works with the next server", async () => {
      const { password } = new URL(server.url);
      const doomed = await startRedis({ settings: { requirepass: password } });
      const doomedUrl = new URL(doomed.url);
      doomedUrl.password = password;
      onTestFinished(() => doomed.stop());
      const { db, target } = await behindProxy();
      const old = { ...target };
      Object.assign(target, { host: doomed.host, port: doomed.port });
      const eyes = await observeRedis(doomedUrl.href);
      using ctx = withCancel(background());
      const stays = failure(db.blpop(background(), key()));
      const leaves = failure(db.blpop(ctx, key()));
      await until(async () => (await eyes.blocked()) === 2);
      eyes.close();
      ctx.cancel();
      await doomed.stop();
      expect(await stays).toBeInstanceOf(Error);
      expect(await leaves).toBeInstanceOf(Error);
      Object.assign(target, old);
      await works(db);
    });

    test("withdraws a command from the client's queue, and never sends it", async () => {
      const { db, proxy } = await behindProxy();
      await proxy.refuse();
      proxy.links[0]!.reset();
      await until(() => !db.ready());
      const k = key();
      using ctx = withCancel(withLedger(background()));
      const answers = [
        failure(db.call(ctx, "INCR", k)),
        failure(db.transact(ctx, k)),
        failure(db.blpop(ctx, k)),
      ];
      const patient = db.call(background(), "INCRBY", k, "100");
      await sleep(background(), 20);
      ctx.cancel();
      const [errors, took] = await timed(Promise.all(answers));
      expect(errors).toEqual([ctx.err(), ctx.err(), ctx.err()]);
      expect(took).toBeLessThan(STOP_TIMEOUT);
      expect((await stopped(ctx)).map((r) => r.state)).toEqual(["stopped", "stopped"]);
      await proxy.refuse(false);
      expect(await patient).toBe(100);
      expect(await db.call(background(), "GET", k)).toBe("100");
    });

    test("returns an answer that comes within the stop timeout, and abandons a command without one", async () => {
      const { db, proxy } = await behindProxy();
      using late = withCancel(background());
      const slow = "local n = 0; for i = 1, 3000000 do n = n + i end; return 'done'";
      const script = db.call(late, "EVAL", slow, "0");
      setTimeout(() => late.cancel(), 1);
      expect(await script).toBe("done");
      proxy.links[0]!.stall();
      using ctx = withCancel(withLedger(background()));
      const answer = failure(db.call(ctx, "PING"));
      await sleep(background(), 20);
      ctx.cancel();
      const [error, took] = await timed(answer);
      expect(error).toBe(ctx.err());
      expect(took).toBeLessThan(STOP_TIMEOUT + 1_000);
      expect(await stopped(ctx)).toMatchObject([{ state: "abandoned" }]);
    });
  });
});
