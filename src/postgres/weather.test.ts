/** Networks and servers that stall, reset or crash. This file has a server of its own. */
import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  background,
  CanceledError,
  sleep,
  stopped,
  withCancel,
  withLedger,
  withTimeout,
} from "../index.ts";
import { startPostgres, type PostgresServer } from "../../servers/postgres.ts";
import { mark, observer, until } from "../../test/support/postgres.ts";
import { testSql, wholePool, type TestSql } from "../../test/support/postgresjs.ts";
import { startProxy, type Link, type Proxy } from "../../test/support/proxy.ts";
import { unhandledRejections } from "../../test/support/race.ts";
import { withContext } from "./index.ts";

const STOP_TIMEOUT = 300;

const unhandled = unhandledRejections();

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(async () => {
  await server.stop();
  expect(unhandled).toEqual([]);
});

/** Returns the URL of the server through a proxy. */
function through({ host, port }: { host: string; port: number }): string {
  const url = new URL(server.url);
  url.host = `${host}:${port}`;
  return url.href;
}

interface Canceled {
  error: unknown;
  state: string | undefined;
  took: number;
  sql: TestSql;
  proxy: Proxy;
  m: string;
}

/**
 * Runs a long query through a proxy and cancels it. `onLink` is called for each connection, and `when`
 * right before the cancellation. Returns the error, the state of the receipt, and the time between
 * the cancellation and the rejection.
 */
async function canceled(
  onLink: Parameters<typeof startProxy>[1],
  when: (query: Link, proxy: Proxy) => void | Promise<void> = () => undefined,
): Promise<Canceled> {
  const proxy = await startProxy(server, onLink);
  const sql = testSql({ max: 1 }, through(proxy));
  const look = await observer({ connectionString: server.url });
  const m = mark();
  using ctx = withCancel(withLedger(background()));
  const db = withContext(sql, { stopTimeout: STOP_TIMEOUT });
  const answer = db.query(ctx, sql`select pg_sleep(3) ${sql.unsafe(m)}`).catch((e: unknown) => e);
  await until(async () => (await look.running(m)) === 1);
  await when(proxy.links[0]!, proxy);
  const start = performance.now();
  ctx.cancel();
  const error = await answer;
  const took = performance.now() - start;
  const receipts = await stopped(ctx);
  return { error, state: receipts[0]?.state, took, sql, proxy, m };
}

/** Expects that the one place of the pool is free again, and that there are so many connections. */
async function expectWhole({ sql, proxy }: Canceled, open = 1): Promise<void> {
  await wholePool(sql);
  await until(() => proxy.open === open);
}

test("a query is stopped on the server through a working proxy", async () => {
  const result = await canceled(() => undefined);
  expect(result.error).toBeInstanceOf(CanceledError);
  expect(result.state).toBe("stopped");
  expect(result.proxy.links).toHaveLength(2);
  await expectWhole(result);
});

test("if the cancel connection stalls, the query's connection is destroyed after the stop timeout", async () => {
  const result = await canceled((link) => link.index === 1 && link.stall());
  expect(result.error).toBeInstanceOf(CanceledError);
  expect(result.state).toBe("abandoned");
  expect(result.took).toBeGreaterThanOrEqual(STOP_TIMEOUT - 5);
  await expectWhole(result, 2); // the cancel connection is left to the server
});

test("if the cancel connection is refused for a while, the cancel request is sent later", async () => {
  const result = await canceled(
    () => undefined,
    async (_, proxy) => {
      await proxy.refuse();
      setTimeout(() => void proxy.refuse(false), 30);
    },
  );
  expect(result.error).toBeInstanceOf(CanceledError);
  expect(result.state).toBe("stopped");
  await expectWhole(result);
});

test("if the cancel connection is reset after the request was sent, the query's connection is destroyed at once", async () => {
  const result = await canceled({
    onChunk: (link) => {
      if (link.index === 1) link.reset();
    },
  });
  expect(result.error).toBeInstanceOf(CanceledError);
  expect(result.state).toBe("abandoned");
  await expectWhole(result);
});

test("if the query's connection stalls, the server stops, and the connection is destroyed after the stop timeout", async () => {
  const look = await observer({ connectionString: server.url });
  const result = await canceled(
    () => undefined,
    (link) => link.stall(),
  );
  expect(result.error).toBeInstanceOf(CanceledError);
  expect(result.state).toBe("abandoned");
  expect(result.took).toBeLessThan(STOP_TIMEOUT + 1_000);
  await until(async () => (await look.running(result.m)) === 0);
  await expectWhole(result);
});

test("if the query's connection is reset, the query rejects at once", async () => {
  const result = await canceled(
    () => undefined,
    (link) => link.reset(),
  );
  expect(result.error).toBeInstanceOf(Error);
  expect(result.took).toBeLessThan(STOP_TIMEOUT);
  await expectWhole(result);
});

test("waiting queries are sent on a new connection when the only connection was destroyed", async () => {
  const proxy = await startProxy(server);
  const sql = testSql({ max: 1 }, through(proxy));
  const db = withContext(sql, { stopTimeout: STOP_TIMEOUT });
  await db.query(background(), sql`select 1`);
  using ctx = withCancel(background());
  const first = db.query(ctx, sql`select pg_sleep(3)`).catch((e: unknown) => e);
  await sleep(background(), 50);
  proxy.links[0]!.stall();
  const next = db.query(background(), sql`select 2 as n`);
  const plain = sql`select 3 as n`.execute();
  ctx.cancel();
  expect(await first).toBe(ctx.err());
  expect(await next).toEqual([{ n: 2 }]);
  expect(await plain).toEqual([{ n: 3 }]);
});

test("an idle connection that has stalled is destroyed after the stop timeout, and its place is free again", async () => {
  const proxy = await startProxy(server);
  const sql = testSql({ max: 1 }, through(proxy));
  await wholePool(sql);
  proxy.links[0]!.stall();
  using ctx = withTimeout(background(), 50);
  const query = withContext(sql, { stopTimeout: STOP_TIMEOUT }).query(ctx, sql`select 1`);
  expect(await query.catch((e: unknown) => e)).toBe(ctx.err());
  await wholePool(sql);
  await until(() => proxy.open === 1);
});

test("if a transaction cannot be rolled back, its connection is destroyed", async () => {
  const proxy = await startProxy(server);
  const sql = testSql({ max: 1 }, through(proxy));
  const db = withContext(sql, { stopTimeout: STOP_TIMEOUT });
  const mistake = new Error("mistake");
  const work = db.transaction(background(), async (tx) => {
    await tx.query(background(), sql`select 1`);
    proxy.links[0]!.stall();
    throw mistake;
  });
  await expect(work).rejects.toBe(mistake);
  await wholePool(sql);
  await until(() => proxy.open === 1);
});

test("after a crash of the server, all queries settle and the pool works again", async () => {
  const doomed = await startPostgres();
  const target = { host: doomed.host, port: doomed.port };
  const proxy = await startProxy(target);
  const url = new URL(doomed.url);
  url.host = `${proxy.host}:${proxy.port}`;
  const sql = testSql({ max: 4, fetch_types: false }, url.href);
  const db = withContext(sql, { stopTimeout: STOP_TIMEOUT });
  const before = await wholePool(sql);
  const look = await observer({ connectionString: doomed.url });
  const m = mark();
  const slow = () => sql`select pg_sleep(60) ${sql.unsafe(m)}`;
  using ctx = withCancel(background());
  using patience = withTimeout(background(), 20_000);
  const works = [
    db.query(background(), slow()),
    db.query(ctx, slow()),
    db.transaction(background(), (tx) => tx.query(background(), slow())),
    db.stream(background(), slow()).next(),
    ...Array.from({ length: 20 }, () => db.query(patience, sql`select 1`)),
  ].map((work) => work.catch((error: unknown) => error));
  await until(async () => (await look.running(m)) === 4);
  // One backend crashes. The postmaster then ends all backends and starts again.
  process.kill(before[0]!, "SIGKILL");
  ctx.cancel();
  const outcomes = await Promise.all(works);
  for (const outcome of outcomes.slice(0, 4)) expect(outcome).toBeInstanceOf(Error);
  expect(outcomes).not.toContain(patience.err() ?? "none"); // every query has settled
  await until(() =>
    db.query(background(), sql`select 1 as n`).then(
      () => true,
      () => false,
    ),
  );
  expect(await wholePool(sql)).toHaveLength(4);
  await until(() => proxy.open === 4);
  await doomed.stop();
  // If connections end without an error, the driver connects again and again, until the context ends.
  using short = withTimeout(background(), 200);
  await expect(db.query(short, sql`select 1`)).rejects.toBeInstanceOf(Error);
});

test.each(["while a statement runs", "between two statements"])(
  "a transaction whose connection is reset %s leaves nothing in its place that hangs",
  async (when) => {
    const proxy = await startProxy(server);
    const sql = testSql({ max: 1, fetch_types: false }, through(proxy));
    const db = withContext(sql, { stopTimeout: STOP_TIMEOUT });
    using patience = withTimeout(background(), 20_000);
    for (let round = 0; round < 5; round++) {
      const work = db.transaction(patience, async (tx) => {
        await tx.query(patience, sql`select 1`);
        const sleeping = when.startsWith("while") && tx.query(patience, sql`select pg_sleep(60)`);
        if (sleeping !== false) await sleep(patience, 20);
        proxy.links.at(-1)!.reset();
        await (sleeping === false ? tx.query(patience, sql`select 2`) : sleeping);
      });
      await expect(work).rejects.toThrow(/ECONNRESET|EPIPE|CONNECTION_/);
      // If a ROLLBACK were left behind, the first query would be answered and the others would hang.
      for (const n of [1, 2, 3]) {
        expect(await db.query(patience, sql`select ${n}::int as n`)).toEqual([{ n }]);
      }
    }
    await wholePool(sql);
  },
);

test("when connections are reset again and again, every query settles and the pool keeps its size", async () => {
  const proxy = await startProxy(server);
  // With fetch_types, a connection that breaks this early causes an unhandled rejection in the driver.
  const sql = testSql({ max: 4, fetch_types: false }, through(proxy));
  const db = withContext(sql, { stopTimeout: STOP_TIMEOUT });
  using patience = withTimeout(background(), 30_000);
  let going = true;
  const flap = async (): Promise<void> => {
    while (going) {
      await sleep(background(), 250);
      for (const link of proxy.links) link.reset();
      await proxy.refuse();
      await sleep(background(), 5);
      await proxy.refuse(false);
    }
  };
  const flapping = flap();
  const count = { own: 0, failed: 0 };
  const worker = async (w: number): Promise<void> => {
    for (let i = 0; i < 25; i++) {
      using ctx = withTimeout(patience, i % 5 === 0 ? 10 : 60_000);
      const n = w * 1000 + i;
      const query = sql<{ n: number }[]>`select ${n}::int as n, pg_sleep(0.005)`;
      try {
        const rows =
          i % 3 === 0
            ? await db.transaction(ctx, (tx) => tx.query(ctx, query))
            : await db.query(ctx, query);
        expect(rows[0]?.n).toBe(n);
        count.own++;
      } catch (error) {
        if (patience.err() !== undefined) throw error;
        expect(error).toBeInstanceOf(Error);
        expect((error as Error).name).not.toBe("AssertionError");
        count.failed++;
      }
    }
  };
  await Promise.all(Array.from({ length: 12 }, (_, w) => worker(w)));
  going = false;
  await flapping;
  expect(patience.err()).toBeUndefined();
  expect(count.own).toBeGreaterThan(0);
  expect(count.failed).toBeGreaterThan(0);
  // The last reset may not have reached its connection yet.
  await until(() =>
    wholePool(sql).then(
      () => true,
      (error: unknown) => {
        if (error instanceof postgres.PostgresError) throw error;
        return false;
      },
    ),
  );
});
