import callbacks from "mysql2";
import mysql, { type FieldPacket, type ResultSetHeader, type RowDataPacket } from "mysql2/promise";
import { expect, expectTypeOf, onTestFinished, test } from "vitest";
import { describeBehavior } from "../../test/support/mysql/behavior.ts";
import { mysql2On } from "../../test/support/mysql/driver.ts";
import {
  describeServers,
  mark,
  observer,
  testServers,
  until,
} from "../../test/support/mysql/servers.ts";
import { background, withCancel } from "../index.ts";
import { withContext } from "./index.ts";

for (const server of testServers) describeBehavior(mysql2On(server));

interface Order extends RowDataPacket {
  id: number;
}

describeServers("withContext of eightysix/mysql2", (server) => {
  function testPool(options: mysql.PoolOptions = {}): mysql.Pool {
    const pool = mysql.createPool({ uri: server.url(), connectionLimit: 1, ...options });
    onTestFinished(() => pool.end());
    return pool;
  }

  test("keeps the driver's types of rows and fields", async () => {
    const ctx = background();
    const db = withContext(testPool());
    const [orders, fields] = await db.query<Order[]>(ctx, "select 7 as id");
    expectTypeOf(orders).toEqualTypeOf<Order[]>();
    expectTypeOf(fields).toEqualTypeOf<FieldPacket[]>();
    expect(orders[0]!.id).toBe(7);
    expect(fields[0]!.name).toBe("id");
    const [header] = await db.execute<ResultSetHeader>(ctx, "do 1");
    expectTypeOf(header.affectedRows).toEqualTypeOf<number>();
    const [any] = await db.query(ctx, { sql: "select ? as a", values: [1], rowsAsArray: true });
    expectTypeOf(any).toEqualTypeOf<mysql.QueryResult>();
    expect(any).toEqual([[1]]);
    const inside = await db.transaction(ctx, async (tx) => {
      const [rows] = await tx.query<Order[]>(ctx, "select 8 as id");
      return rows[0]?.id;
    });
    expectTypeOf(inside).toEqualTypeOf<number | undefined>();
    for await (const order of db.stream<{ id: number }>(ctx, "select 9 as id")) {
      expectTypeOf(order.id).toEqualTypeOf<number>();
    }
    // @ts-expect-error -- not one of the driver's options
    await db.query(ctx, { sql: "select 1", rowMode: "array" });
    // @ts-expect-error -- not a result of the driver's
    await db.query<string>(ctx, "select 1");
    const connection = await mysql.createConnection(server.url());
    onTestFinished(() => connection.destroy());
    const [rows] = await withContext(connection).query<Order[]>(ctx, "select 1 as id");
    expectTypeOf(rows).toEqualTypeOf<Order[]>();
  });

  test("supports placeholders, type casts and the options of a single query", async () => {
    const ctx = background();
    const db = withContext(testPool());
    const named = { sql: "select :a as a, :b as b", namedPlaceholders: true };
    expect((await db.query(ctx, named, { a: 1, b: "x" }))[0]).toEqual([{ a: 1, b: "x" }]);
    expect((await db.execute(ctx, named, { a: 1, b: "x" }))[0]).toEqual([{ a: 1, b: "x" }]);
    const cast = { sql: "select 'abc' as a", typeCast: () => "cast" };
    expect((await db.query(ctx, cast))[0]).toEqual([{ a: "cast" }]);
    const nested = { sql: "select 1 as a", nestTables: "_" };
    expect((await db.query(ctx, nested))[0]).toEqual([{ _a: 1 }]);
    await expect(db.execute(ctx, "select ?", [undefined as never])).rejects.toThrow(/undefined/);
  });

  test("returns promises for a pool with callbacks, and stops its queries", async () => {
    const pool = callbacks.createPool({ uri: server.url(), connectionLimit: 1 });
    onTestFinished(() => pool.end());
    const db = withContext(pool);
    const look = await observer(server.url());
    const [rows, fields] = await db.query<Order[]>(background(), "select ? as id", [5]);
    expectTypeOf(rows).toEqualTypeOf<Order[]>();
    expectTypeOf(fields).toEqualTypeOf<FieldPacket[]>();
    expect(rows[0]!.id).toBe(5);
    using ctx = withCancel(background());
    const m = mark();
    const work = db.query(ctx, `select ${m} sleep(60)`).catch((error: unknown) => error);
    await until(async () => (await look.running(m)) === 1);
    ctx.cancel();
    expect(await work).toBe(ctx.err());
    const connection = callbacks.createConnection(server.url()); // not connected yet
    onTestFinished(() => connection.destroy());
    expect((await withContext(connection).query(background(), "select 1 as n"))[0]).toEqual([
      { n: 1 },
    ]);
  });

  test("stops a statement on the server when the driver's option `timeout` expires", async () => {
    const db = withContext(testPool());
    const look = await observer(server.url());
    const m = mark();
    const work = db.query(background(), { sql: `select ${m} sleep(60)`, timeout: 100 });
    await expect(work).rejects.toMatchObject({ code: "PROTOCOL_SEQUENCE_TIMEOUT" });
    expect(await look.running(m)).toBe(0);
    expect((await db.query(background(), "select 1 as n"))[0]).toEqual([{ n: 1 }]);
  });

  test("returns several results, and rolls back a transaction that they left open", async () => {
    const pool = testPool({ multipleStatements: true });
    const db = withContext(pool);
    const [results] = await db.query(background(), "select 1 as a; select 2 as b");
    expect(results).toEqual([[{ a: 1 }], [{ b: 2 }]]);
    for (const text of ["start transaction; select 1", "select 1; start transaction"]) {
      await db.query(background(), text);
    }
    await db
      .query(background(), "start transaction; select * from no_such_table")
      .catch(() => undefined);
    const [rows] = await pool.query<RowDataPacket[]>(server.inTransaction);
    expect(rows[0]!["n"]).toBe(0);
  });

  test("rejects with the driver's error when the pool's queue is full", async () => {
    const pool = testPool({ queueLimit: 1 });
    const held = await pool.getConnection();
    const db = withContext(pool);
    const waiting = db.query(background(), "select 1");
    await expect(db.query(background(), "select 2")).rejects.toThrow("Queue limit reached.");
    held.release();
    await waiting;
  });

  test.skipIf(server.missing() !== undefined)("kills over TLS and over a Unix socket", async () => {
    await using own = await server.start({ tls: true, settings: { require_secure_transport: 1 } });
    const { hostname, port, username, password } = new URL(own.url);
    const account = { user: username, password, database: "test", connectionLimit: 1 };
    const tls = { host: hostname, port: Number(port), ssl: { ca: own.certificate! } };
    for (const way of [
      tls,
      { ...tls, host: "localhost", ssl: { ...tls.ssl, verifyIdentity: true } },
      { socketPath: own.socketPath },
    ]) {
      const pool = mysql.createPool({ ...account, ...way });
      const db = withContext(pool);
      await db.query(background(), "select 1");
      using ctx = withCancel(background());
      const work = db.query(ctx, "select sleep(60)").catch((error: unknown) => error);
      setTimeout(() => ctx.cancel(), 50);
      expect(await work).toBe(ctx.err());
      const [rows] = await db.query<RowDataPacket[]>(background(), "select connection_id() as id");
      expect(rows[0]!["id"]).toBeTypeOf("number");
      await pool.end();
    }
  });
});

test("withContext of eightysix/mysql2 throws for anything but a pool or a connection of mysql2", () => {
  const take = withContext as (driver: unknown) => unknown;
  for (const wrong of [undefined, {}, mysql.createPoolCluster(), callbacks.createPoolCluster()]) {
    expect(() => take(wrong)).toThrow(
      /mysql2 takes a pool or a connected connection of mysql2, got/,
    );
  }
  // The members by which a pool of the package mysql differs from one of mysql2.
  const mysqlPool = { getConnection() {}, _allConnections: [], _acquiringConnections: [] };
  expect(() => take(mysqlPool)).toThrow(/got a pool of mysql; use the package mysql2/);
});

test("withContext of eightysix/mysql2 throws for an option with a wrong value", () => {
  const pool = callbacks.createPool({});
  expect(() => withContext(pool, { onCancel: "no" as "reuse" })).toThrow(/onCancel is/);
});
