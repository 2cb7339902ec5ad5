/** Where the servers of a run come from, and what the helpers of the tests report. */
import { createServer, type AddressInfo } from "node:net";
import mysql from "mysql2/promise";
import { describe, expect, onTestFinished, test } from "vitest";
import { background, withCancel } from "../../src/index.ts";
import { withContext } from "../../src/pg/index.ts";
import { startNats } from "../../servers/nats.ts";
import { startPgbouncer } from "../../servers/pgbouncer.ts";
import type { Server } from "../../servers/server.ts";
import { observer as observeMysql, testServers } from "./mysql/servers.ts";
import { observer as observePostgres, postgresUrl, testPool } from "./postgres.ts";
import {
  keyPrefix,
  observer as observeRedis,
  redisUrl,
  testClient as testRedisClient,
  testRedis,
  uniqueName,
} from "./redis.ts";
import { hasServer, serverUrl, testWith } from "./server.ts";
import * as services from "./services/index.ts";
import { lease, leaseAll, type Program, type Service } from "./services/service.ts";
import { mark, until } from "./wait.ts";

const shared = Object.values(services).filter((service) => "use" in service);

describe("a shared server", () => {
  const [named, standard] = ["redis://named", "redis://standard"];
  /** A service in which only these URLs answer. */
  function service(...answering: string[]): Service {
    const end = () => Promise.resolve();
    return {
      ...{ name: "Redis", variable: "REDIS_URL", standard, drivers: [], environment: () => ({}) },
      use: async (url) => {
        if (!answering.includes(url)) throw new Error("connection refused");
        return { url, end };
      },
      start: async () => ({ url: "started", stop: end }) as Server,
    };
  }
  const from = async (one: Service, env = {}): Promise<string> => (await lease(one, env)).url;

  test("is the one that the environment names, if it names one", async () => {
    expect(await from(service(named, standard), { REDIS_URL: named })).toBe(named);
  });
  test("is the one on the standard port, if the environment names none", async () => {
    expect(await from(service(named, standard))).toBe(standard);
    expect(await from(service(standard), { REDIS_URL: "" })).toBe(standard);
  });
  test("is started by the run, if no server listens on the standard port", async () => {
    expect(await from(service())).toBe("started");
  });
  test("is started by the run, if the variable says own", async () => {
    expect(await from(service(standard), { REDIS_URL: "own" })).toBe("started");
  });
  test("is missing, if the server that the environment names does not answer", async () => {
    await expect(from(service(standard), { REDIS_URL: named })).rejects.toThrow(
      "Redis at REDIS_URL can't be used: connection refused",
    );
  });
});

describe("a run", () => {
  const ended: string[] = [];
  function service(name: string, works: boolean, isRequired = false): Service {
    return {
      ...{ name, isRequired, variable: `${name}_URL`, standard: `${name}://standard` },
      ...{ drivers: [], environment: () => ({}) },
      use: async (url) => {
        if (!works) throw new Error("connection refused");
        return { url, end: async () => ended.push(name) };
      },
      start: () => Promise.reject(new Error(`install ${name}`)),
    };
  }
  function program(name: string, works: boolean): Program {
    return { name, missing: () => (works ? undefined : `install ${name}`) };
  }

  test("gets the URL of each shared server, and gives all back at its end", async () => {
    ended.length = 0;
    const all = { a: service("A", true, true), b: service("B", true), c: program("C", true) };
    const leases = await leaseAll(all, { B_URL: "B://named" });
    expect(leases).toMatchObject({ urls: { a: "A://standard", b: "B://named" }, missing: {} });
    expect(ended).toEqual([]);
    await leases.end();
    expect(ended.sort()).toEqual(["A", "B"]);
  });

  test("goes on without a server that it does not require, and says what to do", async () => {
    const all = { a: service("A", true, true), b: service("B", false), c: program("C", false) };
    const { urls, missing } = await leaseAll(all, {});
    expect(urls).toEqual({ a: "A://standard" });
    expect(missing).toEqual({ b: "B: install B", c: "C: install C" });
  });

  test("goes on without an optional server, also on CI", async () => {
    const optional = { ...service("B", false), isOptional: true };
    const { urls, missing } = await leaseAll({ a: service("A", true), b: optional }, { CI: "1" });
    expect(urls).toEqual({ a: "A://standard" });
    expect(missing).toEqual({ b: "B: install B" });
  });

  test.each([
    ["a required server is missing", service("B", false, true), {}],
    ["a server is missing on CI", service("B", false), { CI: "1" }],
    ["a program is missing on CI", program("B", false), { CI: "1" }],
  ])("fails if %s, and gives the others back", async (_, broken, env) => {
    ended.length = 0;
    const leases = leaseAll({ a: service("A", true), b: broken }, env);
    await expect(leases).rejects.toThrow(/servers that are missing[^]*B: install B/);
    expect(ended).toEqual(["A"]);
  });

  test("has a URL for each of its shared servers, and each of these answers", async () => {
    for (const [key, service] of Object.entries(services)) {
      const name = key as keyof typeof services;
      if (!("use" in service) || !hasServer(name)) continue;
      await (await service.use(serverUrl(name as "postgres"))).end();
    }
  });
});

test("a program gets the parts of PostgreSQL's URL as variables of pg", () => {
  const { environment } = services.postgres;
  const parts = { PGHOST: "host", PGPORT: "1234", PGUSER: "me", PGDATABASE: "mine" };
  expect(environment("postgres://me@host:1234/mine")).toEqual(parts);
  const withPassword = environment("postgres://me:a%20b@host:1234/mine");
  expect(withPassword).toEqual({ ...parts, PGPASSWORD: "a b" });
});

testWith("nats")("NATS takes the user and the password of a URL, and refuses others", async () => {
  const settings = { authorization: "{ user: me, password: secret }" };
  await using server = await startNats({ settings });
  const url = new URL(server.url);
  await expect(services.nats.use(url.href)).rejects.toThrow(/Authorization Violation/);
  [url.username, url.password] = ["me", "wrong"];
  await expect(services.nats.use(url.href)).rejects.toThrow(/Authorization Violation/);
  url.password = "secret";
  await services.nats.use(url.href);
});

test("a server that accepts connections and never answers is given up within seconds", async () => {
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void silent.close());
  const { port } = silent.address() as AddressInfo;
  const answers = shared.map(({ standard, use }) => {
    const url = new URL(standard);
    url.port = String(port);
    return use(url.href);
  });
  for (const answer of await Promise.allSettled(answers)) expect(answer.status).toBe("rejected");
});

describe.each(testServers)("on $title", (server) => {
  server.test("the observer sees what runs, and who is connected", async () => {
    const look = await observeMysql(server.url());
    const connection = await mysql.createConnection(server.url());
    onTestFinished(() => connection.destroy());
    const id = connection.threadId;
    const text = mark();
    expect(await look.connections()).toContain(id);
    expect(await look.running(text)).toBe(0);
    for (const run of [
      (sql: string) => connection.query(sql),
      (sql: string) => connection.execute(sql), // prepared
    ]) {
      const sleeping = run(`select sleep(60) ${text}`).catch((e: unknown) => e);
      await until(async () => (await look.running(text)) === 1);
      await look.query(`kill query ${id}`);
      await sleeping;
      // The server answers the client before it takes the statement off its list.
      await until(async () => (await look.running(text)) === 0);
    }
    connection.destroy();
    await until(async () => (await look.connections([id])).length === 0);
  });
});

testRedis("Redis' observer sees who is connected, and who waits", async () => {
  const look = await observeRedis();
  const [name, prefix] = [uniqueName(), await keyPrefix()];
  const client = await testRedisClient({ name });
  await until(async () => (await look.clients(name)).length === 1);
  expect(await look.blocked(name)).toBe(0);
  const popped = client.blPop(`${prefix}list`, 0);
  await until(async () => (await look.blocked(name)) === 1);
  await look.client.rPush(`${prefix}list`, "value");
  expect((await popped)?.element).toBe("value");
  expect(await look.blocked(name)).toBe(0);
});

describe("the keys of a test", () => {
  let prefix: string;
  testRedis("can be made", async () => {
    prefix = await keyPrefix();
    const client = await testRedisClient();
    for (let i = 0; i < 50; i++) await client.set(`${prefix}${i}`, "value");
    expect(await client.exists(`${prefix}0`)).toBe(1);
    expect(redisUrl()).toMatch(/^redis:/);
  });
  testRedis("are gone after it", async () => {
    const client = await testRedisClient();
    expect(await client.keys(`${prefix}*`)).toEqual([]);
  });
});

testWith("pgbouncer")(
  "queries through a PgBouncer are stopped on the run's PostgreSQL",
  async () => {
    await using pgbouncer = await startPgbouncer({ target: postgresUrl() });
    const look = await observePostgres();
    const pool = testPool({ connectionString: pgbouncer.url });
    const text = `select pg_sleep(60) ${mark()}`;
    using ctx = withCancel(background());
    const query = withContext(pool)
      .query(ctx, text)
      .catch((e: unknown) => e);
    await until(async () => (await look.running(text)) === 1);
    ctx.cancel();
    expect(await query).toBe(ctx.err());
    expect(await look.running(text)).toBe(0);
  },
);
