/** Transactions of ORMs whose connection breaks at every step: the pool serves the next query. */
import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { Kysely, PostgresDialect, sql as ksql } from "kysely";
import pg from "pg";
import { expect, onTestFinished, test, vi } from "vitest";
import { background, withCancel, type CancelableContext } from "../../index.ts";
import { postgresUrl, until } from "../../../test/support/postgres.ts";
import { postgresMessages, startRelay } from "../../../test/support/steps.ts";
import type { Link, Relay } from "../../testing/conformance/index.ts";
import { runWithContext } from "../../current/index.ts";
import { bind, contextPool } from "../index.ts";

vi.setConfig({ testTimeout: 120_000 });

const STOP_TIMEOUT = 100;
const MAX = 2;

type Work = (ctx: CancelableContext, pool: pg.Pool) => Promise<unknown>;

/** Drizzle does not release a connection whose BEGIN has failed. */
const works: Record<string, Work> = {
  "Drizzle over bind": (ctx, pool) =>
    drizzle(bind(ctx, pool, { stopTimeout: STOP_TIMEOUT })).transaction((tx) =>
      tx.execute(sql`select 1`),
    ),
  "Drizzle over contextPool": (ctx, pool) =>
    runWithContext(ctx, () => drizzle(pool).transaction((tx) => tx.execute(sql`select 1`))),
  "Kysely over bind": (ctx, pool) =>
    new Kysely<object>({
      dialect: new PostgresDialect({ pool: bind(ctx, pool, { stopTimeout: STOP_TIMEOUT }) }),
    })
      .transaction()
      .execute((trx) => ksql`select 1`.execute(trx)),
  "a client of bind": async (ctx, pool) => {
    const client = await bind(ctx, pool, { stopTimeout: STOP_TIMEOUT }).connect();
    try {
      await client.query("begin");
      await client.query("select 1");
      await client.query("commit");
    } catch (error) {
      await client.query("rollback").catch(() => undefined);
      throw error;
    } finally {
      client.release();
    }
  },
};

/** What happens to the connection of the message at which it is cut. */
const cuts: Record<string, (link: Link, ctx: CancelableContext) => void> = {
  "is reset": (link) => link.reset(),
  "is reset when the context ends": (link, ctx) => {
    link.reset();
    ctx.cancel();
  },
  "falls silent, and the context ends": (_, ctx) => ctx.cancel(),
};

const cases = Object.keys(works).flatMap((work) => Object.keys(cuts).map((cut) => [work, cut]));

test.each(cases as [string, string][])(
  "a transaction of %s whose connection %s at any step leaves a pool that serves the next queries",
  async (work, cut) => {
    const { relay, pool } = await setUp();
    for (let step = 0; ; step++) {
      using ctx = withCancel(background());
      let messages = 0;
      let broken: Link | undefined;
      relay.onMessage = ({ link }) => {
        if (link === broken) return "drop";
        if (messages++ !== step) return undefined;
        broken = link;
        cuts[cut]!(link, ctx);
        return "drop";
      };
      await works[work]!(ctx, pool).catch(() => undefined);
      relay.onMessage = undefined;
      broken?.reset();
      await expectServing(pool, `cut at message ${step}`);
      if (broken === undefined) break;
      expect(step).toBeLessThan(40);
    }
  },
);

async function setUp(): Promise<{ relay: Relay; pool: pg.Pool }> {
  const { hostname, port } = new URL(postgresUrl());
  const relay = await startRelay({ host: hostname, port: Number(port || 5432) }, postgresMessages);
  const Pool = contextPool(pg.Pool, { stopTimeout: STOP_TIMEOUT });
  const pool = new Pool({ connectionString: postgresUrl(relay), max: MAX });
  pool.on("error", () => undefined);
  onTestFinished(() => pool.end());
  await expectServing(pool, "at the beginning");
  return { relay, pool };
}

/** Takes all connections of the pool at once, which proves that none is lost. */
async function expectServing(pool: pg.Pool, when: string): Promise<void> {
  const serve = async (): Promise<boolean> => {
    const answers = await Promise.allSettled(
      Array.from({ length: MAX }, () => pool.query("select pg_sleep(0.001)")),
    );
    return answers.every(({ status }) => status === "fulfilled"); // an idle connection may have broken
  };
  const served = until(serve);
  const hangs = new Promise((_, reject) => {
    setTimeout(reject, 10_000, new Error(`the pool hangs, ${when}`)).unref();
  });
  await Promise.race([served, hangs]);
  expect([pool.totalCount, pool.idleCount, pool.waitingCount], when).toEqual([MAX, MAX, 0]);
}
