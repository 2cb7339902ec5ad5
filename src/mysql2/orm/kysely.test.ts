import { Kysely, MysqlDialect, sql } from "kysely";
import type { Pool } from "mysql2";
import { beforeEach, expect, test } from "vitest";
import { background, withCancel } from "../../index.ts";
import { describeOrm, withCurrent, type Queries } from "../../../test/support/mysql/orm-suite.ts";
import {
  callbackPool,
  expectWhole,
  idsIn,
  isRunning,
  PATIENT,
  send,
  table,
} from "../../../test/support/mysql/orms.ts";
import {
  describeServers,
  mark,
  observer,
  until,
  type Observer,
} from "../../../test/support/mysql/servers.ts";
import { failure } from "../../../test/support/orms.ts";
import { bind } from "../index.ts";

type Tables = Record<string, { id: number }>;

const kysely = (pool: Pool): Kysely<Tables> => new Kysely({ dialect: new MysqlDialect({ pool }) });

const queriesOf = (db: Kysely<Tables>): Queries => ({
  one: async (text) => (await sql.raw<{ i: unknown }>(text).execute(db)).rows[0]?.i,
  transaction: (fn) => db.transaction().execute((trx) => fn(queriesOf(trx))),
});

describeOrm({
  name: "Kysely with bind",
  nests: false,
  open: (pool) => ({ within: (ctx, use) => use(queriesOf(kysely(bind(ctx, pool, PATIENT)))) }),
});

describeOrm({
  name: "Kysely with contextPool",
  nests: false,
  isBrief: true,
  open: withCurrent((pool) => queriesOf(kysely(pool))),
});

describeServers("Kysely on mysql2", (server) => {
  let look: Observer;
  beforeEach(async () => {
    look = await observer(server.url());
  });

  test("rolls a controlled transaction back to its savepoint, and then rolls it back", async () => {
    const pool = callbackPool(server);
    const name = await table(server, look);
    using ctx = withCancel(background());
    const db = kysely(bind(ctx, pool, PATIENT));
    const trx = await db.startTransaction().setIsolationLevel("serializable").execute();
    await trx.insertInto(name).values({ id: 1 }).execute();
    const nested = await trx.savepoint("a").execute();
    const text = `select sleep(60) ${mark()}`;
    const slow = failure(sql.raw(text).execute(nested));
    await isRunning(look, text);
    ctx.cancel();
    expect(await slow).toBe(ctx.err());
    const outer = await nested.rollbackToSavepoint("a").execute();
    expect(await failure(outer.commit().execute())).toBe(ctx.err());
    await outer.rollback().execute();
    await expectWhole(pool);
    expect(await idsIn(look, name)).toEqual([]);
  });

  test("stops a stream while the server works on its next rows", async () => {
    const pool = callbackPool(server);
    using ctx = withCancel(background());
    const db = kysely(bind(ctx, pool, PATIENT));
    // A filler for the server's buffer, which is sent when it is full.
    const text = `select seq, repeat('x', 8000) as t, if(seq > 20, sleep(60), 0) as s from (select seq from numbers where seq <= 30) as n ${mark()}`;
    const query = sql.raw<{ seq: number }>(text).compile(db);
    const seen: unknown[] = [];
    const reading = failure(
      (async () => {
        for await (const { rows } of db.getExecutor().stream(query, 2)) seen.push(...rows);
      })(),
    );
    await until(async () => seen.length > 0 && (await look.running(text)) === 1);
    ctx.cancel();
    expect(await reading).toBe(ctx.err());
    expect(await look.running(text)).toBe(0);
    await expectWhole(pool);
  });

  test("stops a stream on the server when its loop is left", async () => {
    const pool = callbackPool(server);
    using ctx = withCancel(background());
    const db = kysely(bind(ctx, pool, PATIENT));
    const text = `select a.seq, repeat('x', 500) as t from numbers a, numbers b ${mark()}`;
    const query = sql.raw<{ seq: number }>(text).compile(db);
    for await (const { rows } of db.getExecutor().stream(query, 2)) {
      expect(rows).toHaveLength(1);
      break;
    }
    await expectWhole(pool);
    expect(await look.running(text)).toBe(0);
  });

  test("leaves the pool open when an instance over bind is destroyed", async () => {
    const pool = callbackPool(server);
    const db = kysely(bind(background(), pool));
    await sql`select 1`.execute(db);
    await db.destroy();
    expect(await send(pool, "select 1 as n")).toEqual([{ n: 1 }]);
  });
});
