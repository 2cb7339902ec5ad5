import { once } from "node:events";
import type { Socket } from "node:net";
import type { Pool, PoolConnection, Query } from "mysql2";
import promises from "mysql2/promise";
import { beforeEach, describe, expect, expectTypeOf, onTestFinished, test, vi } from "vitest";
import { background, stopped, withCancel, withLedger, withTimeout } from "../../index.ts";
import {
  addressOf,
  describeServers,
  mark,
  observer,
  until,
  urlAt,
  type Observer,
} from "../../../test/support/mysql/servers.ts";
import {
  callbackPool,
  connect,
  countsOf,
  errorOf,
  expectWhole,
  idsIn,
  isRunning,
  PATIENT,
  promisePool,
  send,
  table,
} from "../../../test/support/mysql/orms.ts";
import { failure } from "../../../test/support/orms.ts";
import { startProxy } from "../../../test/support/proxy.ts";
import { bind, contextPool } from "../index.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

describeServers("bind of eightysix/mysql2", (server) => {
  let look: Observer;
  beforeEach(async () => {
    look = await observer(server.url());
  });

  async function ownConnection(): Promise<promises.Connection> {
    const connection = await promises.createConnection(server.url());
    onTestFinished(() => connection.destroy());
    return connection;
  }

  describe("a bound pool", () => {
    test("has the driver's type, its options and its events", async () => {
      const pool = callbackPool(server);
      const bound = bind(background(), pool);
      expectTypeOf(bound).toEqualTypeOf<Pool>();
      expect(bound).toBeInstanceOf(pool.constructor);
      expect(bound.escapeId("a`b")).toBe(pool.escapeId("a`b"));
      const events: string[] = [];
      expect(bound.on("acquire", () => events.push("acquire"))).toBe(bound);
      await send(bound, "select 1");
      expect(events).toEqual(["acquire"]);
      const withPromises = promisePool(server);
      const other = bind(background(), withPromises);
      expectTypeOf(other).toEqualTypeOf<promises.Pool>();
      expect(other).toBeInstanceOf(withPromises.constructor);
      expect(other.escape("'")).toBe(withPromises.escape("'"));
    });

    test("does nothing in `end`, because the pool still belongs to its owner", async () => {
      const pool = callbackPool(server);
      const bound = bind(background(), pool);
      await new Promise<void>((resolve) => bound.end(() => resolve()));
      await bind(background(), pool.promise()).end();
      {
        using _ = bound as Pool & Disposable;
      }
      expect(await send(pool, "select 1 as n")).toEqual([{ n: 1 }]);
      const connection = await ownConnection();
      await bind(background(), connection).end();
      expect(await connection.query("select 1 as n")).toMatchObject([[{ n: 1 }], {}]);
    });

    test("refuses other drivers and wrong options with an error that says what to write", () => {
      const pool = callbackPool(server);
      expect(() => bind("select" as never, pool)).toThrow(/bind\(ctx, pool\)/);
      expect(() => bind(background(), new Date() as never)).toThrow(/bind of eightysix\/mysql2/);
      expect(() => bind(background(), pool, { onCancel: "x" as never })).toThrow(/"reuse"/);
      const query = callbackPool(server).query("select 1", () => undefined);
      expect(() => bind(background(), pool).query(query as never)).toThrow(/got a Query/);
    });
  });

  describe("a statement through bind", () => {
    type Method = "query" | "execute";
    const byCallback = (db: Pool | PoolConnection, method: Method, ...args: unknown[]) =>
      new Promise<unknown>((resolve, reject) => {
        const call = db[method].bind(db) as (...args: unknown[]) => unknown;
        call(...args, (error: unknown, ...answer: unknown[]) =>
          // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the driver's own
          error ? reject(error) : resolve(answer),
        );
      });
    const forms = (db: Pool | PoolConnection): Record<string, () => Promise<unknown>> => ({
      SQL: () => byCallback(db, "query", "select 1 as n"),
      "SQL and values": () => byCallback(db, "query", "select ? as n", [1]),
      options: () => byCallback(db, "query", { sql: "select ? as n", values: [1] }),
      "options and values": () => byCallback(db, "query", { sql: "select ? as n" }, [1]),
      execute: () => byCallback(db, "execute", "select 1 as n"),
      "execute with values": () => byCallback(db, "execute", "select ? as n", [1]),
      promise: () => db.promise().query("select ? as n", [1]),
      "promise of execute": () => db.promise().execute("select ? as n", [1]),
      stream: async () => {
        const rows: unknown[] = [];
        for await (const row of db.query("select 1 as n").stream()) rows.push(row);
        return [rows, []];
      },
      events: async () => {
        const rows: unknown[] = [];
        const command = db.query("select 1 as n").on("result", (row) => rows.push(row));
        const error = await errorOf(command);
        if (error !== undefined) throw error as Error;
        return [rows, []];
      },
    });

    test.each(Object.keys(forms(undefined as never)))(
      "in the form %s returns the driver's answer, and fails with ctx.err() if its context is done",
      async (form) => {
        const pool = callbackPool(server);
        const bound = bind(background(), pool);
        expect(await forms(bound)[form]!()).toMatchObject([[{ n: 1 }], {}]);
        const connection = await connect(bound);
        expect(await forms(connection)[form]!()).toMatchObject([[{ n: 1 }], {}]);
        connection.release();
        await expectWhole(pool);

        using gone = withCancel(background());
        gone.cancel();
        expect(await failure(forms(bind(gone, pool))[form]!())).toBe(gone.err());
        using ctx = withCancel(background());
        const late = await connect(bind(ctx, pool, PATIENT));
        ctx.cancel();
        expect(await failure(forms(late)[form]!())).toBe(ctx.err());
        late.release();
        await expectWhole(pool);
      },
    );

    test.each(["a query", "a prepared statement", "a stream", "a query with promises"])(
      "that is %s stops on the server, and its connection is used again",
      async (form) => {
        const pool = callbackPool(server);
        using ctx = withCancel(withLedger(background()));
        const connection = await connect(bind(ctx, pool, PATIENT));
        const { threadId } = connection;
        const text = `select 1 as i, sleep(60) ${mark()}`;
        const slow =
          form === "a query"
            ? failure(send(connection, text))
            : form === "a stream"
              ? errorOf(connection.query(text).stream())
              : form === "a prepared statement"
                ? failure(byCallback(connection, "execute", text))
                : failure(connection.promise().query(text));
        await isRunning(look, text);
        ctx.cancel();
        expect(await slow).toBe(ctx.err());
        expect(await look.running(text)).toBe(0);
        connection.release();
        await expectWhole(pool);
        const again = await connect(pool);
        expect(again.threadId).toBe(threadId);
        again.release();
        expect((await stopped(ctx)).map(({ state }) => state)).toContain("stopped");
      },
    );

    test("fails with the driver's own error if the server refuses it", async () => {
      const pool = callbackPool(server);
      const refused = { errno: 1064 };
      expect(await failure(send(bind(background(), pool), "selekt"))).toMatchObject(refused);
      const withPromises = bind(background(), pool.promise());
      expect(await failure(withPromises.query("selekt"))).toMatchObject(refused);
      expect(await failure(withPromises.execute("selekt"))).toMatchObject(refused);
      expect(await errorOf(bind(background(), pool).query("selekt"))).toMatchObject(refused);
      const connection = await connect(bind(background(), pool));
      expect(() => connection.query(undefined as never)).toThrow(TypeError);
      connection.release();
      await expectWhole(pool);
    });

    test("has the driver's answer for a statement that returns no rows, or several results", async () => {
      const pool = callbackPool(server, { multipleStatements: true });
      const name = await table(server, look);
      const bound = bind(background(), pool.promise());
      const [header] = await bound.query(`insert into ${name} values (1), (2)`);
      expect(header).toMatchObject({ affectedRows: 2 });
      const [several, fields] = await bound.query("select 1 as a; select 2 as b");
      expect(several).toEqual([[{ a: 1 }], [{ b: 2 }]]);
      expect(fields).toHaveLength(2);
      const emitted: unknown[] = [];
      const command = bind(background(), pool).query(
        `select 1 as a; insert into ${name} values (3)`,
      );
      command.on("result", ((row: object) => {
        emitted.push("affectedRows" in row ? "header" : row);
      }) as never);
      expect(await errorOf(command)).toBeUndefined();
      expect(emitted).toEqual([{ a: 1 }, "header"]);
    });

    test("can be prepared first, and then stops like any other", async () => {
      const pool = callbackPool(server);
      using ctx = withCancel(background());
      const connection = await connect(bind(ctx, pool, PATIENT));
      const own = mark();
      const statement = await connection.promise().prepare(`select sleep(?) as n ${own}`);
      expect(await statement.execute([0])).toMatchObject([[{ n: 0 }], {}]);
      const slow = failure(statement.execute([60]));
      await isRunning(look, own);
      ctx.cancel();
      expect(await slow).toBe(ctx.err());
      expect(await failure(connection.promise().ping())).toBe(ctx.err());
      connection.release();
      await expectWhole(pool);
    });

    test("leaves the connection outside of a transaction if it has begun one on the pool", async () => {
      const pool = callbackPool(server);
      await send(bind(background(), pool), "begin");
      expect(await send(pool, server.inTransaction)).toEqual([{ n: 0 }]);
    });

    test("can be returned from runWithContext without being called as a promise", async () => {
      const pool = callbackPool(server);
      expect((bind(background(), pool).query("select 1", () => undefined) as never)["then"]).toBe(
        undefined,
      );
      await expectWhole(pool);
    });
  });

  describe("the rows of a stream through bind", () => {
    /** More rows than fit into any buffer. */
    const many = `select a.seq as n, repeat('x', 500) as t from numbers a, numbers b ${mark()}`;

    test("are held back for a slow reader, and end soon after the context ends", async () => {
      const pool = callbackPool(server);
      using ctx = withCancel(background());
      const connection = await connect(bind(ctx, pool, PATIENT));
      const stream = connection.query(many).stream({ highWaterMark: 5 });
      await once(stream, "readable");
      expect(stream.read()).toMatchObject({ t: "x".repeat(500) });
      await new Promise((resolve) => setTimeout(resolve, 50)); // the buffers fill
      expect(stream.readableLength).toBeLessThan(10);
      ctx.cancel();
      expect(await errorOf(stream)).toBe(ctx.err());
      connection.release();
      await expectWhole(pool);
      expect(await look.running(many)).toBe(0);
    });

    test("end on the server too if the stream is destroyed, as by leaving its loop", async () => {
      const pool = callbackPool(server);
      using ctx = withCancel(background());
      const connection = await connect(bind(ctx, pool, PATIENT));
      for await (const row of connection.query(many).stream()) {
        expect(row).toMatchObject({ t: "x".repeat(500) });
        break;
      }
      expect(await send(connection, "select 1 as n")).toEqual([{ n: 1 }]);
      connection.release();
      await expectWhole(pool);
      expect(await look.running(many)).toBe(0);
    });

    /** A hundred rows, and then an error of the server. The network carries all of it at once. */
    const failsLater = "select if(seq <= 100, seq, (select 1 union select 2)) as n from numbers";

    /** Reads one row, and leaves the stream. Resolves when the statement has ended. */
    async function readOne(command: Query, onRow: () => void = () => undefined): Promise<void> {
      // `once` of node:events would listen for errors.
      const ended = new Promise<unknown>((resolve) => command.on("end", resolve as () => void));
      for await (const _ of command.stream()) {
        onRow();
        break;
      }
      await ended;
    }

    test.each(["a pool", "a connection", "a connection without a context"])(
      "through %s may be left before the error of the statement, and nothing is thrown",
      async (kind) => {
        const pool = callbackPool(server);
        const bound = bind(background(), pool);
        if (kind === "a pool") await readOne(bound.query(failsLater));
        else {
          const connection = await connect(kind === "a connection" ? bound : contextPool(pool));
          await readOne(connection.query(failsLater));
          connection.release();
        }
        await expectWhole(pool);
      },
    );

    test("may be left before the connection breaks, and nothing is thrown", async () => {
      const pool = callbackPool(server);
      const connection = await connect(pool);
      connection.release();
      await readOne(bind(background(), pool).query(many), () =>
        setImmediate(() => (connection as unknown as { stream: Socket }).stream.destroy()),
      );
      await until(() => countsOf(pool).total === 0);
    });

    test("of a statement that fails leave its error to the reader of the stream", async () => {
      const pool = callbackPool(server);
      const stream = bind(background(), pool).query(failsLater).stream();
      expect(await failure(stream.toArray())).toMatchObject({ errno: 1242 });
      await expectWhole(pool);
    });

    test("without a listener for errors end with the context, and no error is thrown", async () => {
      const pool = callbackPool(server);
      using ctx = withCancel(background());
      const command = bind(ctx, pool, PATIENT).query(many);
      let rows = 0;
      command.on("result", () => void rows++);
      await until(() => rows > 0);
      ctx.cancel();
      await new Promise((resolve) => command.on("end", () => resolve(undefined)));
      const seen = rows;
      await expectWhole(pool);
      expect(rows).toBe(seen);
    });
  });

  describe("getConnection through bind", () => {
    test("stops waiting when its context ends, and the connection that is granted later goes back", async () => {
      const pool = callbackPool(server);
      const holder = await connect(pool);
      using ctx = withCancel(background());
      const bound = bind(ctx, pool, PATIENT);
      const waits = [
        failure(connect(bound)),
        failure(send(bound, "select 1")),
        failure(bound.promise().getConnection()),
        failure(bound.promise().query("select 1")),
      ];
      await until(() => countsOf(pool).waiting === 4);
      ctx.cancel();
      for (const wait of waits) expect(await wait).toBe(ctx.err());
      holder.release();
      await expectWhole(pool);
    });

    test("returns the same object for the same connection, and `using` gives it back", async () => {
      const pool = callbackPool(server);
      const bound = bind(background(), pool);
      const first = await connect(bound);
      first.release();
      {
        using second = (await connect(bound)) as PoolConnection & Disposable;
        expect(second).toBe(first);
      }
      await expectWhole(pool);
      const third = await connect(bound);
      bound.releaseConnection(third);
      await expectWhole(pool);
    });

    test("fails with the driver's own error if the server refuses the connection", async () => {
      const pool = callbackPool(server, { database: "nosuch" });
      expect(await failure(connect(bind(background(), pool)))).toMatchObject({
        code: expect.stringMatching(/ER_(BAD_DB|DBACCESS_DENIED)/) as string,
      });
    });

    test.each(["release", "destroy"] as const)(
      "gives a connection whose second `%s`, after its lease, leaves the next lease alone",
      async (end) => {
        const pool = callbackPool(server);
        const first = await connect(bind(background(), pool));
        first.release();
        const second = await connect(bind(background(), pool));
        first[end]();
        expect(countsOf(pool)).toMatchObject({ total: 1, idle: 0 });
        expect(await send(second, "select 1 as n")).toEqual([{ n: 1 }]);
        second.release();
        await expectWhole(pool);
      },
    );

    test("gives a connection whose `destroy` takes it out of the pool", async () => {
      const pool = callbackPool(server);
      const connection = await connect(bind(background(), pool));
      connection.destroy();
      connection.release();
      await until(() => countsOf(pool).total === 0);
      expect(await send(pool, "select 1 as n")).toEqual([{ n: 1 }]);
    });
  });

  describe("a transaction through bind", () => {
    test("stops, is rolled back, and its connection is used again", async () => {
      const pool = promisePool(server);
      const name = await table(server, look);
      using ctx = withCancel(background());
      const connection = await bind(ctx, pool, PATIENT).getConnection();
      await connection.beginTransaction();
      await connection.query(`insert into ${name} values (1)`);
      const text = `select sleep(60) ${mark()}`;
      const slow = failure(connection.query(text));
      await isRunning(look, text);
      ctx.cancel();
      expect(await slow).toBe(ctx.err());
      expect(await failure(connection.query("select 1"))).toBe(ctx.err());
      await connection.rollback();
      connection.release();
      await expectWhole(pool);
      expect(await idsIn(look, name)).toEqual([]);
    });

    test.each(["before it", "while it waits for a statement"])(
      "sends ROLLBACK in place of a COMMIT if its context ends %s",
      async (when) => {
        const pool = promisePool(server);
        const name = await table(server, look);
        using ctx = withCancel(background());
        const connection = await bind(ctx, pool, PATIENT).getConnection();
        await connection.query("begin");
        await connection.query(`insert into ${name} values (1)`);
        if (when === "before it") ctx.cancel();
        // It fails if it is killed. MySQL's SLEEP() would end, and the INSERT would succeed.
        const text = `insert into ${name} select count(*) from numbers a, numbers b where sqrt(a.seq * b.seq) < 0 ${mark()}`;
        const slow = failure(connection.query(text));
        const commit = failure(connection.query("/* tracer */ COMMIT;"));
        if (when !== "before it") {
          await isRunning(look, text);
          ctx.cancel();
        }
        expect(await Promise.all([slow, commit])).toEqual([ctx.err(), ctx.err()]);
        connection.release();
        await expectWhole(pool);
        expect(await idsIn(look, name)).toEqual([]);
      },
    );

    test("that is left open when its context ends costs the connection", async () => {
      const pool = promisePool(server);
      using ctx = withCancel(background());
      const connection = await bind(ctx, pool, PATIENT).getConnection();
      await connection.beginTransaction();
      ctx.cancel();
      connection.release();
      await until(() => countsOf(pool).total === 0);
      expect(await pool.query("select 1 as n")).toMatchObject([[{ n: 1 }], {}]);
    });

    test("continues after a rollback to a savepoint while its context is live", async () => {
      const pool = promisePool(server);
      const name = await table(server, look);
      const connection = await pool.getConnection();
      await connection.query("begin");
      await connection.query(`insert into ${name} values (1)`);
      using ctx = withTimeout(background(), 100);
      const part = bind(ctx, connection, PATIENT);
      await part.query("savepoint a");
      await part.query(`insert into ${name} values (2)`);
      expect(await failure(part.query("select sleep(60)"))).toBe(ctx.err());
      expect(await failure(part.query("release savepoint a"))).toBe(ctx.err());
      await part.query("rollback to savepoint a");
      await connection.query("commit");
      connection.release();
      await expectWhole(pool);
      expect(await idsIn(look, name)).toEqual([1]);
    });

    test("commits nothing if the code catches a deadlock and goes on", async () => {
      const pool = promisePool(server);
      const name = await table(server, look);
      await look.query(`insert into ${name} values (1), (2)`);
      const connection = await bind(background(), pool).getConnection();
      await connection.beginTransaction();
      await connection.query(`update ${name} set id = id where id = 1`);
      const other = await observer(server.url());
      await other.query("begin");
      // Heavier, so that the other one is not the victim.
      await other.query(
        `insert into ${name} select seq from numbers where seq between 100 and 200`,
      );
      await other.query(`update ${name} set id = id where id = 2`);
      const text = `update ${name} set id = id where id = 1 ${mark()}`;
      const theirs = other.query(text);
      await isRunning(look, text);
      const dead = await failure(connection.query(`update ${name} set id = id where id = 2`));
      expect(dead).toMatchObject({ errno: 1213 });
      await theirs;
      await other.query("rollback");
      const nothing = { code: "ERR_NOTHING_COMMITTED" };
      const insert = `insert into ${name} values (3)`;
      expect(await failure(connection.query(insert))).toMatchObject(nothing);
      expect(await failure(connection.commit())).toMatchObject(nothing);
      await connection.rollback();
      await connection.query(insert);
      connection.release();
      await expectWhole(pool);
      expect(await idsIn(look, name)).toEqual([1, 2, 3]);
    });

    test("stops all statements that were sent together, and then rolls back", async () => {
      const pool = promisePool(server);
      using ctx = withCancel(background());
      const connection = await bind(ctx, pool, PATIENT).getConnection();
      await connection.query("begin");
      const text = `select sleep(60) ${mark()}`;
      const all = [1, 2, 3].map(() => failure(connection.query(text)));
      await isRunning(look, text);
      ctx.cancel();
      const rollback = connection.query("rollback");
      expect(await Promise.all(all)).toEqual([ctx.err(), ctx.err(), ctx.err()]);
      await rollback;
      connection.release();
      await expectWhole(pool);
    });

    test("loses its connection if the server does not answer its ROLLBACK", async () => {
      const proxy = await startProxy(addressOf(server));
      const pool = promisePool(server, { uri: urlAt(server, proxy) });
      using ctx = withCancel(background());
      const connection = await bind(ctx, pool, { stopTimeout: 200 }).getConnection();
      await connection.query("begin");
      ctx.cancel();
      proxy.links[0]!.stall();
      expect(await failure(connection.query("rollback"))).toBe(ctx.err());
      connection.release();
      await until(() => countsOf(pool).total === 0);
      expect(await pool.query("select 1 as n")).toMatchObject([[{ n: 1 }], {}]);
    });

    test("loses its connection after a stop with onCancel: destroy, and its ROLLBACK rejects", async () => {
      const pool = promisePool(server);
      using ctx = withCancel(background());
      const connection = await bind(ctx, pool, { onCancel: "destroy" }).getConnection();
      await connection.query("begin");
      const text = `select sleep(60) ${mark()}`;
      const slow = failure(connection.query(text));
      await isRunning(look, text);
      ctx.cancel();
      expect(await slow).toBe(ctx.err());
      expect(await failure(connection.query("rollback"))).toBe(ctx.err());
      connection.release();
      await until(() => countsOf(pool).total === 0);
    });

    test("whose connection the server ends passes the driver's own error on", async () => {
      const pool = promisePool(server);
      using ctx = withCancel(background());
      const connection = await bind(ctx, pool, PATIENT).getConnection();
      await connection.query("begin");
      const text = `select sleep(60) ${mark()}`;
      const slow = failure(connection.query(text));
      await isRunning(look, text);
      await look.query(`kill ${connection.threadId}`);
      expect(await slow).toMatchObject({ fatal: true });
      ctx.cancel();
      expect(await failure(connection.query("rollback"))).toBe(ctx.err());
      connection.release();
      await until(() => countsOf(pool).total === 0);
    });
  });

  describe("a connection through bind", () => {
    /** A pool of one connection, and a proxy that holds each KILL back for 150 milliseconds. */
    async function poolWithLateKills() {
      const proxy = await startProxy(addressOf(server), {
        async onChunk(_, from, chunk) {
          if (from !== "client" || !chunk.includes("KILL QUERY")) return;
          await new Promise((resolve) => setTimeout(resolve, 150));
        },
      });
      return callbackPool(server, { uri: urlAt(server, proxy) });
    }

    test.each(["before", "after"])(
      "that is released %s its context ends, while a statement runs, lets no other statement be hit",
      async (order) => {
        const pool = await poolWithLateKills();
        using ctx = withCancel(background());
        const connection = await connect(bind(ctx, pool, { stopTimeout: 500 }));
        const text = `select 7 as i, sleep(0.1) ${mark()}`;
        const query = failure(send(connection, text));
        await isRunning(look, text);
        if (order === "before") connection.release();
        ctx.cancel();
        if (order === "after") connection.release();
        const end = performance.now() + 300;
        for (let i = 0; performance.now() < end; i++) {
          const innocent = `select ${i} as i, count(sha2(seq, 256)) as n from numbers where seq <= 20000`;
          expect(await send(pool, innocent)).toEqual([{ i, n: 20_000 }]);
        }
        await query;
        await expectWhole(pool);
      },
    );

    test("of its owner stops its statement, and works on", async () => {
      const connection = await ownConnection();
      using ctx = withCancel(background());
      const text = `select sleep(60) ${mark()}`;
      const bound = bind(ctx, connection, PATIENT);
      expectTypeOf(bound).toEqualTypeOf<promises.Connection>();
      const slow = failure(bound.query(text));
      await isRunning(look, text);
      ctx.cancel();
      expect(await slow).toBe(ctx.err());
      expect(await connection.query("select 1 as n")).toMatchObject([[{ n: 1 }], {}]);
    });

    test("that two contexts share runs their statements one after another", async () => {
      const connection = await ownConnection();
      using first = withCancel(background());
      using second = withCancel(background());
      const text = `select sleep(60) ${mark()}`;
      const slow = failure(bind(first, connection, PATIENT).query(text));
      await isRunning(look, text);
      const innocent = bind(second, connection).query("select 1 as n, sleep(0.2)");
      first.cancel();
      expect(await slow).toBe(first.err());
      expect(await innocent).toMatchObject([[{ n: 1 }], {}]);
    });
  });
});
