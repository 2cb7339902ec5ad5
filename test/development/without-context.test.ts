/** Calls of `fetch` and of drivers that take no context, under a request. */
import { Redis } from "ioredis";
import { createConnection as mariadbConnection, createPool as createMariadb } from "mariadb";
import mysql from "mysql2";
import mysqlPromise from "mysql2/promise";
import pg from "pg";
import { createClient } from "redis";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { runWithContext, runWithoutContext } from "../../src/current/index.ts";
import { fetch as contextFetch } from "../../src/fetch/index.ts";
import {
  background,
  developmentMode,
  withCancel,
  withLedger,
  type Context,
} from "../../src/index.ts";
import { withContext as ioredisContext } from "../../src/ioredis/index.ts";
import { withContext as mariadbContext } from "../../src/mariadb/index.ts";
import { withContext as mysqlContext } from "../../src/mysql2/index.ts";
import { contextPool, withContext as pgContext } from "../../src/pg/index.ts";
import { withContext as redisContext } from "../../src/redis/index.ts";
import { inDevelopment, messagesOn } from "../support/development.ts";
import { mariadbConfig } from "../support/mysql/driver.ts";
import { postgresUrl } from "../support/postgres.ts";
import { redisUrl } from "../support/redis.ts";
import { hasServer, serverUrl, type ServerName } from "../support/server.ts";
import { serve } from "../support/web.ts";
import { turn } from "../support.ts";

const warnings = inDevelopment();
const CODE = "EIGHTYSIX_WITHOUT_CONTEXT";

/** Runs `fn` as the handler of a request with a current context. */
async function request<T>(fn: (ctx: Context) => T | PromiseLike<T>): Promise<T> {
  using scope = withCancel(background());
  const ctx = withLedger(scope);
  const result = await runWithContext(ctx, async () => await fn(ctx));
  await turn();
  return result;
}

const reports = (): string[] => warnings.map(({ code, message }) => `${code} ${message}`);

describe("the global fetch under a request", () => {
  let web: Awaited<ReturnType<typeof serve>>;
  beforeAll(async () => {
    web = await serve((res) => res.end("ok"));
  });
  afterAll(() => web[Symbol.asyncDispose]());

  test("is reported without a signal, once for each call site", async () => {
    const published = messagesOn("eightysix:call.without-context");
    for (let i = 0; i < 2; i++) await request(async () => await (await fetch(web.url)).text());
    expect(reports()).toEqual([
      expect.stringMatching(`^${CODE} fetch was called without a context`),
    ]);
    expect(warnings[0]?.message).toMatch(/use fetch\(ctx, url\) of "eightysix\/fetch"/);
    expect(warnings[0]?.detail).toMatch(/^ +at .*without-context\.test\.ts/);
    expect(published).toHaveLength(2);
  });

  test("is not reported with a signal, a Request or a dispatcher, or in runWithoutContext", async () => {
    await request(async (ctx) => {
      await (await fetch(web.url, { signal: ctx.signal })).text();
      await (await fetch(new Request(web.url, { signal: ctx.signal }))).text();
      await runWithoutContext(async () => await (await fetch(web.url)).text());
      await (await contextFetch(ctx, web.url)).text();
      const dispatcher = Reflect.get(globalThis, Symbol.for("undici.globalDispatcher.1")) as object;
      await (await fetch(web.url, { dispatcher } as RequestInit)).text();
    });
    await (await fetch(web.url)).text();
    expect(reports()).toEqual([]);
  });

  test("passes everything on, and keeps a replacement of the program", async () => {
    await request(async (ctx) => {
      const init = { method: "POST", body: "x", signal: ctx.signal };
      expect(await (await fetch(web.url, init)).text()).toBe("ok");
      await expect(fetch("nonsense:", { signal: ctx.signal })).rejects.toThrow("fetch failed");
      expect([fetch.name, fetch.length]).toEqual(["fetch", 1]);
      const mock = vi.fn(() => Promise.resolve(new Response("mock")));
      vi.stubGlobal("fetch", mock);
      onTestFinished(() => void vi.unstubAllGlobals());
      expect(await (await fetch(web.url)).text()).toBe("mock");
      expect(await (await contextFetch(ctx, web.url)).text()).toBe("mock");
    });
    expect(reports()).toEqual([]);
  });

  test("is not reported while development mode is off", async () => {
    developmentMode(false);
    await request(async () => await (await fetch(web.url)).text());
    expect(reports()).toEqual([]);
  });
});

interface Opened {
  /** Calls the driver itself. */
  readonly direct: () => unknown;
  /** Calls the driver through its adapter. */
  readonly adapted: (ctx: Context) => unknown;
  readonly report: string;
}

const drivers: Record<string, { server: ServerName; open: () => Opened | Promise<Opened> }> = {
  "pg.Pool": {
    server: "postgres",
    open() {
      const pool = new pg.Pool({ connectionString: postgresUrl(), max: 1 });
      onTestFinished(() => pool.end());
      const db = pgContext(pool);
      return {
        direct: () => pool.query("select 1"),
        adapted: async (ctx) => {
          await db.query(ctx, "select 1");
          await db.transaction(ctx, (tx) => tx.query(ctx, "select 1"));
          await db.connection(ctx, (one) => one.query(ctx, "select 1"));
          for await (const _ of db.stream(ctx, "select 1")) break;
        },
        report: "query of pg",
      };
    },
  },
  "pool.connect of pg": {
    server: "postgres",
    open() {
      const pool = new pg.Pool({ connectionString: postgresUrl() });
      onTestFinished(() => pool.end());
      const db = pgContext(pool);
      return {
        direct: async () => {
          const client = await pool.connect();
          client.release();
        },
        adapted: (ctx) => db.query(ctx, "select 1"),
        report: "connect of pg",
      };
    },
  },
  "pg.Client": {
    server: "postgres",
    async open() {
      const client = new pg.Client({ connectionString: postgresUrl() });
      await client.connect();
      onTestFinished(() => client.end());
      const db = pgContext(client);
      return {
        direct: () => client.query("select 1"),
        adapted: (ctx) => db.transaction(ctx, (tx) => tx.query(ctx, "select 1")),
        report: "query of pg",
      };
    },
  },
  "a pool of mysql2": {
    server: "mariadb",
    open() {
      const pool = mysql.createPool({ uri: serverUrl("mariadb") });
      onTestFinished(() => pool.promise().end());
      const db = mysqlContext(pool);
      return {
        direct: () => new Promise((resolve) => void pool.query("select 1", resolve)),
        adapted: async (ctx) => {
          await db.query(ctx, "select 1");
          await db.transaction(ctx, (tx) => tx.execute(ctx, "select 1"));
        },
        report: "query of mysql2",
      };
    },
  },
  "a pool of mysql2/promise": {
    server: "mariadb",
    open() {
      const pool = mysqlPromise.createPool({ uri: serverUrl("mariadb") });
      onTestFinished(() => pool.end());
      const db = mysqlContext(pool);
      return {
        direct: () => pool.execute("select 1"),
        adapted: (ctx) => db.query(ctx, "select 1"),
        report: "execute of mysql2",
      };
    },
  },
  "a connection of mysql2/promise": {
    server: "mariadb",
    async open() {
      const connection = await mysqlPromise.createConnection({ uri: serverUrl("mariadb") });
      onTestFinished(() => connection.end());
      const db = mysqlContext(connection);
      return {
        direct: () => connection.query("select 1"),
        adapted: (ctx) => db.query(ctx, "select 1"),
        report: "query of mysql2",
      };
    },
  },
  "a pool of mariadb": {
    server: "mariadb",
    open() {
      const pool = createMariadb(mariadbConfig(serverUrl("mariadb")));
      onTestFinished(() => pool.end());
      const db = mariadbContext(pool);
      return {
        direct: () => pool.query("select 1"),
        adapted: async (ctx) => {
          await db.query(ctx, "select 1");
          await db.transaction(ctx, (tx) => tx.query(ctx, "select 1"));
        },
        report: "query of mariadb",
      };
    },
  },
  "a connection of mariadb": {
    server: "mariadb",
    async open() {
      const connection = await mariadbConnection(mariadbConfig(serverUrl("mariadb")));
      onTestFinished(() => connection.end());
      const db = mariadbContext(connection);
      return {
        direct: () => connection.query("select 1"),
        adapted: (ctx) => db.query(ctx, "select 1"),
        report: "query of mariadb",
      };
    },
  },
  redis: {
    server: "redis",
    async open() {
      const client = createClient({ url: redisUrl() });
      await client.connect();
      onTestFinished(() => client.destroy());
      const db = redisContext(client);
      return {
        direct: () => client.get("k"),
        adapted: async (ctx) => {
          await db.get(ctx, "k");
          await db.blPop(ctx, "none", 0.01);
          await db.exec(ctx, client.multi().get("k"));
          for await (const _ of db.scanIterator(ctx)) break;
          await client.select(0); // concerns the connection, and no request
        },
        report: "GET of redis",
      };
    },
  },
  ioredis: {
    server: "redis",
    open() {
      const client = new Redis(redisUrl());
      onTestFinished(() => client.disconnect());
      const db = ioredisContext(client);
      return {
        direct: () => client.get("k"),
        adapted: async (ctx) => {
          await db.get(ctx, "k");
          await db.blpop(ctx, "none", 0.01);
          await db.exec(ctx, client.multi().get("k"));
          await db.scanStream(ctx).toArray();
          await client.select(0); // concerns the connection, and no request
        },
        report: "GET of ioredis",
      };
    },
  },
};

describe.each(Object.entries(drivers))("%s under a request", (_, { server, open }) => {
  test.skipIf(!hasServer(server))("is reported if it is called without a context", async () => {
    const { direct, adapted, report } = await open();
    await direct(); // no request
    await request(adapted);
    expect(reports()).toEqual([]);
    await request(() => runWithoutContext(() => direct()));
    expect(reports()).toEqual([]);
    await request(() => direct());
    await request(() => direct());
    expect(reports()).toEqual([
      expect.stringMatching(`^${CODE} ${report} was called without a context`),
    ]);
    expect(warnings[0]?.detail).toMatch(/^ +at .*without-context\.test\.ts/);
  });
});

test.skipIf(!hasServer("postgres"))(
  "a call of a pool of contextPool has a context, and is not reported",
  async () => {
    const pool = new (contextPool(pg.Pool))({ connectionString: postgresUrl() });
    onTestFinished(() => pool.end());
    pgContext(pool);
    await request(() => pool.query("select 1"));
    await request(async () => {
      (await pool.connect()).release();
    });
    expect(reports()).toEqual([]);
  },
);

test.skipIf(!hasServer("postgres"))(
  "a pool that was wrapped while development mode was off is left alone, and one that is wrapped twice is watched once",
  async () => {
    developmentMode(false);
    const pool = new pg.Pool({ connectionString: postgresUrl() });
    onTestFinished(() => pool.end());
    pgContext(pool);
    expect(Object.hasOwn(pool, "query")).toBe(false);
    developmentMode(true);
    pgContext(pool);
    pgContext(pool);
    expect(Object.keys(pool)).not.toContain("query");
    const published = messagesOn("eightysix:call.without-context");
    await request(() => pool.query("select 1"));
    expect(published).toHaveLength(1);
  },
);
