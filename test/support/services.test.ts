/** Where the servers of a run come from, and what the helpers of the tests report. */
import { createServer, type AddressInfo } from "node:net";
import mysql from "mysql2/promise";
import { describe, expect, onTestFinished, test } from "vitest";
import { background, withCancel } from "../../src/index.ts";
import { withContext } from "../../src/pg/index.ts";
import { startPgbouncer } from "../../servers/pgbouncer.ts";
import { mariadbUrl, testMariadb, observer as observeMariadb } from "./mariadb.ts";
import { testPgbouncer } from "./pgbouncer.ts";
import { observer as observePostgres, postgresUrl, testPool } from "./postgres.ts";
import {
  keyPrefix,
  observer as observeRedis,
  redisUrl,
  testClient as testRedisClient,
  testRedis,
  uniqueName,
} from "./redis.ts";
import { lease, type Service } from "./services/service.ts";
import { mark, until } from "./wait.ts";

describe("a shared server", () => {
  const [named, standard] = ["redis://named", "redis://standard"];
  /** A service in which only these URLs answer. */
  function service(...answering: string[]): Service {
    const end = () => Promise.resolve();
    return {
      ...{ name: "Redis", variable: "REDIS_URL", standard },
      use: async (url) => {
        if (!answering.includes(url)) throw new Error("connection refused");
        return { url, end };
      },
      start: async () => ({ url: "started", end }),
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

test("a server that accepts connections and never answers is given up within seconds", async () => {
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void silent.close());
  const { port } = silent.address() as AddressInfo;
  const { postgres } = await import("./services/postgres.ts");
  const { mariadb } = await import("./services/mariadb.ts");
  const { redis } = await import("./services/redis.ts");
  const answers = [
    postgres.use(`postgres://postgres@127.0.0.1:${port}/`),
    mariadb.use(`mysql://root@127.0.0.1:${port}/`),
    redis.use(`redis://127.0.0.1:${port}`),
  ];
  for (const answer of await Promise.allSettled(answers)) expect(answer.status).toBe("rejected");
});

testMariadb("MariaDB's observer sees what runs, and who is connected", async () => {
  const look = await observeMariadb();
  const connection = await mysql.createConnection(mariadbUrl());
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
    expect(await look.running(text)).toBe(0);
  }
  connection.destroy();
  await until(async () => (await look.connections([id])).length === 0);
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

testPgbouncer("queries through a PgBouncer are stopped on the run's PostgreSQL", async () => {
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
});
