/**
 * A pooler closes the connection of a cancel request, and forwards the request when the next query
 * runs. A connection is used again only if the server proved that it has consumed the request. When it
 * has, is the subject of second-signal.test.ts.
 */
import { beforeAll, describe, expect, test } from "vitest";
import pg from "pg";
import { background, withCancel } from "../../src/index.ts";
import { advisoryLock } from "../support/pooler/advisory-lock.ts";
import { behaviors } from "../support/pooler/behavior.ts";
import { drivers, forms, type Select } from "../support/pooler/drivers.ts";
import { startPooler, statementsAfter, type Pooler } from "../support/pooler/pooler.ts";
import { mark, observer, postgresUrl, until } from "../support/postgres.ts";

/** A function that waits for a lock, and then fails with SQLSTATE 57014 and a text of the caller's. */
const FAIL = `fail_as_canceled_${process.pid}`;

beforeAll(async () => {
  const admin = new pg.Client({ connectionString: postgresUrl() });
  await admin.connect();
  await admin.query(`
    create function ${FAIL}(key bigint, message text) returns void language plpgsql as $$
      begin
        perform pg_advisory_xact_lock(key);
        raise exception using errcode = '57014', message = message;
      end
    $$`);
  return async () => {
    await admin.query(`drop function ${FAIL}`);
    await admin.end();
  };
});

/** A gate that holds cancel requests until it is opened. Each opening lets the next one pass. */
function gate() {
  const waiting: (() => void)[] = [];
  return {
    hold: () => new Promise<void>((resolve) => waiting.push(resolve)),
    openOnce: () => waiting.shift()?.(),
    open: () => waiting.splice(0).forEach((pass) => pass()),
  };
}

/** Starts a query, and resolves when it runs on the server. `statement` is what it selects. */
async function startQuery(select: Select, statement: string) {
  const look = await observer();
  const ctx = withCancel(background());
  const tag = mark();
  const query = { ctx, tag, isSettled: false, settled: Promise.resolve() };
  query.settled = select(ctx, `select 2 as i, ${statement} ${tag}`).then(
    () => void (query.isSettled = true),
    () => void (query.isSettled = true),
  );
  await until(async () => (await look.running(tag)) === 1);
  return query;
}

/** Runs another query, and meanwhile forwards the cancel requests that are held. */
async function runAmongCancels(query: Select, pooler: Pooler, open: () => void): Promise<number> {
  const look = await observer();
  const lock = await advisoryLock();
  const tag = mark();
  const next = query(background(), `select 3 as i, ${lock.wait} ${tag}`);
  next.catch(() => undefined);
  await until(async () => (await look.running(tag)) === 1);
  open();
  await until(() => pooler.handled === pooler.arrived);
  await lock.release();
  return next;
}

const endings = {
  "ends by itself": (lock: { wait: string }) => lock.wait,
  "fails by itself": (lock: { wait: string }) => `1 / length(${lock.wait}::text)`,
  "fails with a statement_timeout": ({ key }: { key: number }) =>
    `${FAIL}(${key}, 'canceling statement due to statement timeout')`,
  "fails with 57014 and a translated text": ({ key }: { key: number }) =>
    `${FAIL}(${key}, 'annulation de la requête à la demande de l''utilisateur')`,
};

describe.each(forms)("$driver, $form", ({ driver, form }) => {
  test.each(Object.entries(endings))(
    "if a query %s while its cancel request is held, its connection is not used again",
    async (_, statement) => {
      const { hold, open } = gate();
      const pooler = await startPooler({ ...behaviors["session mode"], hold });
      const lock = await advisoryLock();
      const db = drivers[driver]({ url: pooler.url, max: 1 });
      const query = await startQuery(db[form]!, statement(lock));
      query.ctx.cancel();
      await until(() => pooler.arrived > 0);
      await lock.release();
      await query.settled;
      expect(await runAmongCancels(db.query, pooler, open)).toBe(3);
      expect(pooler.clients).toHaveLength(2);
      expect(pooler.clients[0]?.isClosed).toBe(true);
      expect(statementsAfter(query.tag, pooler)).toEqual([]); // not even a ROLLBACK
    },
  );

  test("if two cancel requests were sent, the answer to one of them does not prove the other", async () => {
    const { hold, open, openOnce } = gate();
    const pooler = await startPooler({ ...behaviors["session mode"], hold });
    const lock = await advisoryLock();
    const db = drivers[driver]({ url: pooler.url, max: 1 });
    const query = await startQuery(db[form]!, lock.wait);
    query.ctx.cancel();
    // If there is no second request until the stop timeout, the connection is destroyed.
    await until(() => pooler.arrived > 1 || query.isSettled);
    openOnce();
    await query.settled;
    expect(await runAmongCancels(db.query, pooler, open)).toBe(3);
    expect(statementsAfter(query.tag, pooler)).toEqual([]);
  });
});
