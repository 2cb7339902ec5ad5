/**
 * A pooler gives its clients no key for cancel requests, or one of zeros that names no client. No
 * request is sent, because it would stop nothing, or a query of another client.
 */
import pg from "pg";
import { beforeAll, describe, expect, test } from "vitest";
import { background, stopped, withCancel, withLedger } from "../../src/index.ts";
import { advisoryLock } from "../support/pooler/advisory-lock.ts";
import { behaviors } from "../support/pooler/behavior.ts";
import { drivers, forms } from "../support/pooler/drivers.ts";
import { startPooler, statementsAfter } from "../support/pooler/pooler.ts";
import { mark, observer, postgresUrl, until } from "../support/postgres.ts";

/** A table whose rows are checked at COMMIT, which waits for the lock of the row. */
const TABLE = `checked_at_commit_${process.pid}`;

beforeAll(async () => {
  const admin = new pg.Client({ connectionString: postgresUrl() });
  await admin.connect();
  await admin.query(`
    create table ${TABLE} (key bigint);
    create function check_${TABLE}() returns trigger language plpgsql as $$
      begin
        perform pg_advisory_xact_lock(new.key);
        return null;
      end
    $$;
    create constraint trigger wait after insert on ${TABLE} deferrable initially deferred
      for each row execute function check_${TABLE}()`);
  return async () => {
    await admin.query(`drop table ${TABLE}; drop function check_${TABLE}`);
    await admin.end();
  };
});

/** Longer than the test may take, so that only a connection that is destroyed at once passes. */
const STOP_TIMEOUT = 600_000;

const keys = ["keys of zeros", "no keys"] as const;
const cases = keys.flatMap((key) => forms.map((form) => ({ key, ...form })));

test.each(cases)(
  "$key: if a $form of $driver is canceled, its connection is destroyed at once, and the receipt says abandoned",
  async ({ key, driver, form }) => {
    const look = await observer();
    const pooler = await startPooler(behaviors[key]);
    const options = { url: pooler.url, max: 1, stopTimeout: STOP_TIMEOUT };
    const db = drivers[driver](options);
    const request = withLedger(background());
    using ctx = withCancel(request);
    const tag = mark();
    const running = db[form]?.(ctx, `select 1 as i, pg_sleep(60) ${tag}`);
    running?.catch(() => undefined);
    await until(async () => (await look.running(tag)) === 1);
    ctx.cancel();
    await expect(running).rejects.toBe(ctx.err());
    await until(() => pooler.clients[0]?.isClosed === true);
    const receipts = (await stopped(request)).filter(({ what }) => what?.includes(tag));
    expect(receipts.map(({ state }) => state)).toEqual(["abandoned"]);
    expect(await db.query(background(), "select 3 as i")).toBe(3);
    expect(pooler.arrived).toBe(0);
    expect(statementsAfter(tag, pooler)).toEqual([]); // not even a ROLLBACK
  },
);

describe.each(keys)("%s", (key) => {
  test.each(forms.filter(({ form }) => form === "transaction"))(
    "a COMMIT of $driver that is running is waited for",
    async ({ driver }) => {
      const look = await observer();
      const pooler = await startPooler(behaviors[key]);
      const lock = await advisoryLock();
      const db = drivers[driver]({ url: pooler.url, max: 2, stopTimeout: STOP_TIMEOUT });
      using ctx = withCancel(background());
      const running = db.transaction(
        ctx,
        `insert into ${TABLE} values (${lock.key}) returning 1 as i`,
      );
      running.catch(() => undefined);
      await until(() => lock.isAwaited());
      expect(pooler.clients[0]?.statements.at(-1)).toMatch(/^commit/i);
      ctx.cancel();
      // Meanwhile the pool serves others.
      for (let i = 0; i < 10; i++) expect(await db.query(background(), "select 3 as i")).toBe(3);
      expect(pooler.clients[0]?.isClosed).toBe(false);
      await lock.release();
      expect(await running).toBe(1);
      const { rowCount } = await look.query(`select from ${TABLE} where key = $1`, [lock.key]);
      expect(rowCount).toBe(1);
      expect(pooler.arrived).toBe(0);
    },
  );
});
