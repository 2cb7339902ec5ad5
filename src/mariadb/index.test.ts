import mariadb, { type Pool, type PoolConfig, type UpsertResult } from "mariadb";
import callbacks from "mariadb/callback";
import { expect, expectTypeOf, onTestFinished, test } from "vitest";
import { describeBehavior } from "../../test/support/mysql/behavior.ts";
import { mariadbConfig, mariadbOn } from "../../test/support/mysql/driver.ts";
import {
  describeServers,
  mark,
  observer,
  testServers,
  until,
} from "../../test/support/mysql/servers.ts";
import { background, withCancel, withTimeout } from "../index.ts";
import { withContext } from "./index.ts";

for (const server of testServers) describeBehavior(mariadbOn(server));

describeServers("withContext of eightysix/mariadb", (server) => {
  const config = (): PoolConfig => mariadbConfig(server.url());

  function testPool(options: PoolConfig = {}): Pool {
    const pool = mariadb.createPool({ ...config(), connectionLimit: 1, ...options });
    onTestFinished(() => pool.end());
    return pool;
  }

  test("keeps the driver's types", async () => {
    const ctx = background();
    const db = withContext(testPool());
    const rows = await db.query<{ id: number }[]>(ctx, "select 7 as id");
    expectTypeOf(rows).toEqualTypeOf<{ id: number }[]>();
    const any: unknown = await db.execute(ctx, { sql: "select ? as id", rowsAsArray: true }, [8]);
    expectTypeOf(db.execute(ctx, "do 0")).resolves.toBeAny();
    expect(any).toMatchObject([[8]]);
    for await (const row of db.stream<{ id: number }>(ctx, "select 9 as id")) {
      expectTypeOf(row.id).toEqualTypeOf<number>();
    }
    expectTypeOf(db.batch(ctx, "insert", [])).resolves.toEqualTypeOf<
      UpsertResult | UpsertResult[]
    >();
    const connection = await mariadb.createConnection(config());
    onTestFinished(() => connection.end());
    expect(await withContext(connection).query(ctx, "select 1 as id")).toMatchObject([{ id: 1 }]);
  });

  test("supports named placeholders", async () => {
    using ctx = withTimeout(background(), 30_000);
    const named = { sql: "select :a as a, :b as b", namedPlaceholders: true };
    const db = withContext(testPool());
    expect(await db.query(ctx, named, { a: 1, b: "x" })).toMatchObject([{ a: 1, b: "x" }]);
    expect(await db.execute(ctx, named, { a: 1, b: "x" })).toMatchObject([{ a: 1, b: "x" }]);
  });

  test.each([true, false])("stops a batch on the server (bulk: %s)", async (bulk) => {
    const pool = testPool();
    const db = withContext(pool);
    const look = await observer(server.url());
    const table = `b${process.pid}_${Math.floor(performance.now() * 1000)}`;
    await look.query(`create table ${table} (n int primary key, s int)`);
    onTestFinished(async () => void (await look.query(`drop table ${table}`)));
    const rows = Array.from({ length: 50 }, (_, i) => [i, 0.1]);
    const m = mark();
    const sql = `insert into ${table} values (?, sleep(?)) ${m}`;
    const batch = await db.batch(background(), { sql, bulk }, rows.slice(0, 2));
    expect(Array.isArray(batch) ? batch : [batch]).toMatchObject(
      bulk && server.name === "mariadb" // only MariaDB has the bulk protocol
        ? [{ affectedRows: 2 }]
        : [{ affectedRows: 1 }, { affectedRows: 1 }],
    );
    await look.query(`delete from ${table}`);
    using ctx = withCancel(background());
    const work = db
      .transaction(ctx, (tx) => tx.batch(ctx, { sql, bulk }, rows))
      .catch((error: unknown) => error);
    await until(async () => (await look.running(m)) === 1);
    ctx.cancel();
    expect(await work).toBe(ctx.err());
    expect(await look.running(m)).toBe(0);
    expect(await db.query(background(), `select * from ${table}`)).toHaveLength(0);
  });

  test("rejects with the driver's error when the option `timeout` ends a statement", async () => {
    using ctx = withTimeout(background(), 30_000);
    const db = withContext(testPool());
    const work = db.query(ctx, { sql: "select sleep(60)", timeout: 100 });
    // The driver refuses the option on MySQL.
    await expect(work).rejects.toMatchObject({ errno: server.name === "mysql" ? 45038 : 1969 });
  });

  test("rejects with the driver's error when `acquireTimeout` expires", async () => {
    const pool = testPool({ acquireTimeout: 100 });
    const held = await pool.getConnection();
    const work = withContext(pool).query(background(), "select 1");
    await expect(work).rejects.toMatchObject({ errno: 45028 });
    await held.release();
  });

  test.skipIf(server.missing() !== undefined)("kills over TLS and over a Unix socket", async () => {
    await using own = await server.start({ tls: true, settings: { require_secure_transport: 1 } });
    const { hostname, port, username, password } = new URL(own.url);
    const account = { user: username, password, database: "test", connectionLimit: 1 };
    const tls = { host: hostname, port: Number(port), ssl: { ca: own.certificate! } };
    for (const way of [tls, { ...tls, host: "localhost" }, { socketPath: own.socketPath }]) {
      const pool = mariadb.createPool({ ...account, ...way });
      const db = withContext(pool);
      await db.query(background(), "select 1");
      using ctx = withCancel(background());
      const work = db.query(ctx, "select sleep(60)").catch((error: unknown) => error);
      setTimeout(() => ctx.cancel(), 50);
      expect(await work).toBe(ctx.err());
      expect(pool.totalConnections()).toBe(1);
      await pool.end();
    }
  });

  test("rejects each call on a pool of mariadb/callback", async () => {
    const pool = callbacks.createPool(config());
    onTestFinished(() => pool.end(() => undefined));
    const db = withContext(pool as unknown as Pool);
    await expect(db.query(background(), "select 1")).rejects.toThrow(
      /got a pool of mariadb\/callback/,
    );
  });
});

test("withContext of eightysix/mariadb throws for anything but a pool or a connection of mariadb", () => {
  const take = withContext as (driver: unknown) => unknown;
  for (const wrong of [undefined, {}, mariadb.createPoolCluster()]) {
    expect(() => take(wrong)).toThrow(/mariadb takes a pool or a connection of mariadb, .*got/);
  }
});

test("withContext of eightysix/mariadb throws for an option with a wrong value", () => {
  expect(() => withContext({} as never, { onCancel: "no" as "reuse" })).toThrow(/onCancel is/);
});
