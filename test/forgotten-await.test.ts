/** A request that forgets an `await`: the process goes on, and a warning says what was left behind. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { DuckDBInstance } from "@duckdb/node-api";
import { connect as connectNats, headers } from "@nats-io/transport-node";
import { Redis } from "ioredis";
import Libsql from "libsql/promise";
import { createPool as createMariadb } from "mariadb";
import { createPool as createMysql } from "mysql2";
import pg from "pg";
import postgres from "postgres";
import { createClient } from "redis";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { withContext as duckdbContext } from "../src/duckdb/index.ts";
import { runWithContext } from "../src/current/index.ts";
import { fetch as contextFetch } from "../src/fetch/index.ts";
import { handler } from "../src/http/index.ts";
import {
  developmentMode,
  detach,
  shield,
  sleep,
  startWork,
  background,
  type Context,
  type Receipt,
  working,
  type WorkInfo,
} from "../src/index.ts";
import { withContext as ioredisContext } from "../src/ioredis/index.ts";
import { withContext as libsqlContext } from "../src/libsql/index.ts";
import { withContext as mariadbContext } from "../src/mariadb/index.ts";
import { contextPool as mysqlPool, withContext as mysqlContext } from "../src/mysql2/index.ts";
import { withContext as natsContext } from "../src/nats/index.ts";
import { contextPool, withContext as pgContext } from "../src/pg/index.ts";
import { withContext as postgresContext } from "../src/postgres/index.ts";
import { withContext as redisContext } from "../src/redis/index.ts";
import { handler as fetchHandler } from "../src/web/index.ts";
import { serve } from "./raw-http.ts";
import { mariadbConfig } from "./support/mysql/driver.ts";
import { postgresUrl } from "./support/postgres.ts";
import { redisUrl } from "./support/redis.ts";
import { hasServer, serverUrl, type ServerName } from "./support/server.ts";
import { reported, until } from "./support.ts";

vi.setConfig({ testTimeout: 30_000 });

interface LeftBehind {
  work: WorkInfo;
  receipt: Receipt;
  stack: string | undefined;
}

/** Not a step before it: the wait for a connection, or what the adapter asks a new connection. */
const isOperation = ({ kind, what }: WorkInfo): boolean =>
  !kind.endsWith(".wait") && !what?.startsWith("which thread");

/** Calls `work` in a request that is finished at once, and returns what is reported after that. */
async function request(work: (ctx: Context) => unknown) {
  const left: LeftBehind[] = [];
  const warnings: (Error & { code?: string; detail?: string })[] = [];
  const onLeft = (message: unknown) => void left.push(message as LeftBehind);
  const onWarning = (warning: Error) => void warnings.push(warning);
  subscribe("eightysix:work.left-behind", onLeft);
  process.on("warning", onWarning);
  try {
    let ctx: Context | undefined;
    const listener = handler(async (own, _req, res) => {
      ctx = own;
      work(own);
      await until(() => working(own).some(isOperation));
      await sleep(background(), 10);
      res.end("ok");
    });
    await using server = await serve(listener);
    const client = await server.client();
    const unhandled = await reported(async () => {
      client.get();
      await client.answer();
      await until(() => ctx?.err() !== undefined);
      await sleep(background(), 100); // the operations are stopped
    });
    client.socket.destroy();
    return { left, warnings, unhandled };
  } finally {
    unsubscribe("eightysix:work.left-behind", onLeft);
    process.off("warning", onWarning);
  }
}

/** Starts an operation that runs until it is stopped, and ignores its promise. */
type Forget = (ctx: Context) => void;

const adapters: Record<string, { server?: ServerName; open: () => Promise<Forget> }> = {
  pg: {
    server: "postgres",
    async open() {
      const pool = new pg.Pool({ connectionString: postgresUrl() });
      onTestFinished(() => pool.end());
      const db = pgContext(pool);
      await pool.query("select 1");
      return (ctx) => void db.query(ctx, "select pg_sleep(60)");
    },
  },
  "a transaction of pg": {
    server: "postgres",
    async open() {
      const pool = new pg.Pool({ connectionString: postgresUrl() });
      onTestFinished(() => pool.end());
      const db = pgContext(pool);
      await pool.query("select 1");
      return (ctx) =>
        void db.transaction(ctx, async (tx) => {
          void tx.query(ctx, "select pg_sleep(60)");
          await tx.query(ctx, "select 1");
        });
    },
  },
  "a contextPool of pg": {
    server: "postgres",
    async open() {
      const pool = new (contextPool(pg.Pool))({ connectionString: postgresUrl() });
      onTestFinished(() => pool.end());
      await pool.query("select 1");
      return (ctx) => runWithContext(ctx, () => void pool.query("select pg_sleep(61)"));
    },
  },
  "postgres.js": {
    server: "postgres",
    async open() {
      const sql = postgres(postgresUrl());
      onTestFinished(() => sql.end());
      const db = postgresContext(sql as never);
      await sql`select 1`;
      return (ctx) => void db.query(ctx, sql`select pg_sleep(60)` as never);
    },
  },
  mysql2: {
    server: "mariadb",
    open() {
      const pool = createMysql({ uri: serverUrl("mariadb") });
      onTestFinished(() => pool.promise().end());
      const db = mysqlContext(pool);
      return Promise.resolve((ctx) => void db.query(ctx, "select sleep(60)"));
    },
  },
  "a contextPool of mysql2": {
    server: "mariadb",
    open() {
      const pool = mysqlPool(createMysql({ uri: serverUrl("mariadb") })).promise();
      onTestFinished(() => pool.end());
      return Promise.resolve((ctx) =>
        runWithContext(ctx, () => void pool.query("select sleep(61)")),
      );
    },
  },
  mariadb: {
    server: "mariadb",
    open() {
      const pool = createMariadb(mariadbConfig(serverUrl("mariadb")));
      onTestFinished(() => pool.end());
      const db = mariadbContext(pool);
      return Promise.resolve((ctx) => void db.query(ctx, "select sleep(60)"));
    },
  },
  duckdb: {
    async open() {
      const instance = await DuckDBInstance.create(":memory:");
      onTestFinished(() => instance.closeSync());
      const db = duckdbContext(instance);
      const sql = "select max((range * 31) % 7) from range(100000000000)";
      return (ctx) => void db.runAndReadAll(ctx, sql);
    },
  },
  libsql: {
    open() {
      const db = new Libsql(":memory:", {});
      onTestFinished(() => void db.close());
      const sql =
        "with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c";
      return Promise.resolve((ctx) => void libsqlContext(db).all(ctx, sql));
    },
  },
  redis: {
    server: "redis",
    async open() {
      const client = createClient({ url: redisUrl() });
      await client.connect();
      onTestFinished(() => client.destroy());
      const db = redisContext(client);
      return (ctx) => void db.blPop(ctx, "forgotten", 0);
    },
  },
  ioredis: {
    server: "redis",
    open() {
      const client = new Redis(redisUrl());
      onTestFinished(() => client.disconnect());
      const db = ioredisContext(client);
      return Promise.resolve((ctx) => void db.blpop(ctx, "forgotten", 0));
    },
  },
  nats: {
    server: "nats",
    async open() {
      const connection = await connectNats({ servers: new URL(serverUrl("nats")).host });
      onTestFinished(() => connection.close());
      const bus = natsContext(connection, { headers });
      bus.serve(background(), "forgotten", (ctx) => sleep(ctx, Infinity) as Promise<never>);
      await connection.flush();
      return (ctx) => void bus.request(ctx, "forgotten");
    },
  },
  fetch: {
    async open() {
      const server = await serve(() => undefined);
      onTestFinished(() => server[Symbol.asyncDispose]());
      const { port } = server;
      return (ctx) => void contextFetch(ctx, `http://127.0.0.1:${port}/silent`);
    },
  },
};

describe.each(Object.entries(adapters))("a forgotten operation of %s", (name, { server, open }) => {
  test.skipIf(server !== undefined && !hasServer(server))(
    "is no unhandled rejection, and is reported as left behind",
    async () => {
      const forget = await open();
      const { left, warnings, unhandled } = await request(forget);
      expect(unhandled).toEqual([]);
      expect(left.map(({ receipt }) => receipt.reason)).toContain("finished");
      expect(warnings.map(({ code }) => code)).toContain("EIGHTYSIX_LEFT_BEHIND");
      expect(left.every(({ stack }) => stack === undefined)).toBe(true);
    },
  );

  test.skipIf(server !== undefined && !hasServer(server))(
    "shows the caller in development mode",
    async () => {
      const forget = await open();
      developmentMode(true);
      onTestFinished(() => developmentMode(false));
      const { left, unhandled } = await request(forget);
      expect(unhandled).toEqual([]);
      expect(left.length, name).toBeGreaterThan(0);
      for (const { stack } of left) expect(stack).toMatch(/^ +at .*forgotten-await/);
    },
  );
});

test("a warning is emitted once for each call site, and the channel has each piece of work", async () => {
  const first = (ctx: Context) => void startWork(ctx, "test.first", "twice");
  const a = await request((ctx) => (first(ctx), startWork(ctx, "test.first", "other")));
  const b = await request(first);
  expect(a.warnings.map(({ detail }) => detail)).toEqual(["twice", "other"]);
  expect(b.warnings).toEqual([]);
  expect(b.left.map(({ work }) => work.what)).toEqual(["twice"]);
});

test("work that has a longer life than its request is not reported", async () => {
  const { left, warnings } = await request((ctx) => {
    void shield(ctx, 1_000, (inner) => (startWork(inner, "test.shielded"), sleep(inner, 100)));
    detach(ctx, 1_000, (inner) => (startWork(inner, "test.detached"), sleep(inner, 100)));
    const ended = startWork(ctx, "test.ended");
    setTimeout(() => ended.end(), 5);
  });
  expect([left, warnings]).toEqual([[], []]);
});

test("a handler of eightysix/web reports what it leaves behind, too", async () => {
  const kinds: string[] = [];
  const onLeft = (message: unknown) => void kinds.push((message as LeftBehind).work.kind);
  subscribe("eightysix:work.left-behind", onLeft);
  onTestFinished(() => void unsubscribe("eightysix:work.left-behind", onLeft));
  const respond = fetchHandler((ctx) => {
    startWork(ctx, "test.web");
    return new Response("ok");
  });
  expect(await (await respond(new Request("http://x/"))).text()).toBe("ok");
  expect(kinds).toEqual(["test.web"]);
});
