/**
 * Networks and servers that stall, reset connections or fail. The servers belong to this file
 * alone.
 */
import pg from "pg";
import { beforeAll, afterAll, expect, onTestFinished, test, vi } from "vitest";
import { background, CanceledError, stopped, withCancel, withLedger } from "../index.ts";
import { startPostgres, type PostgresServer } from "../../servers/postgres.ts";
import { mark, observer, testPool, until } from "../../test/support/postgres.ts";
import { startProxy, type Link, type Proxy } from "../../test/support/proxy.ts";
import { withContext } from "./index.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const STOP_TIMEOUT = 300;

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

/** Returns the url of the server through a proxy. */
function through({ host, port }: { host: string; port: number }): string {
  const url = new URL(server.url);
  url.hostname = host;
  url.port = String(port);
  return url.href;
}

/**
 * Runs a long query through a proxy and cancels it. Calls `onLink` for each connection, and `when`
 * right before the cancel. Returns the error, the state of the receipt, the milliseconds that the
 * stop took, the pool and the SQL. `left` is how many connections remain beside those of the pool.
 */
async function canceled(
  onLink: Parameters<typeof startProxy>[1],
  when: (query: Link, proxy: Proxy) => void | Promise<void> = () => undefined,
  left = 0,
): Promise<{
  error: unknown;
  state: string | undefined;
  took: number;
  pool: pg.Pool;
  text: string;
}> {
  const proxy = await startProxy(server, onLink);
  const pool = testPool({ connectionString: through(proxy), max: 1 });
  const look = await observer({ connectionString: server.url });
  const text = `select pg_sleep(3) ${mark()}`;
  using ctx = withCancel(withLedger(background()));
  const query = withContext(pool, { stopTimeout: STOP_TIMEOUT }).query(ctx, text);
  const answer = query.catch((e: unknown) => e);
  await until(async () => (await look.running(text)) === 1);
  await when(proxy.links[0]!, proxy);
  const start = performance.now();
  ctx.cancel();
  const error = await answer;
  const took = performance.now() - start;
  const [receipt] = await stopped(ctx);
  onTestFinished(() => until(() => proxy.open === pool.totalCount + left));
  return { error, state: receipt?.state, took, pool, text };
}

async function expectWhole(pool: pg.Pool): Promise<void> {
  expect((await pool.query<{ n: number }>("select 1 as n")).rows).toEqual([{ n: 1 }]);
  expect(pool.totalCount).toBe(1);
  expect(pool.idleCount).toBe(1);
  expect(pool.waitingCount).toBe(0);
}

test("a query through a proxy that forwards everything is stopped within the stop timeout", async () => {
  const { error, state, took, pool } = await canceled(() => undefined);
  expect(error).toBeInstanceOf(CanceledError);
  expect(state).toBe("stopped");
  expect(took).toBeLessThan(STOP_TIMEOUT);
  await expectWhole(pool);
});

test("if the connection of the cancel request stalls, the query's connection is destroyed after the stop timeout", async () => {
  const { error, state, took, pool } = await canceled(
    (link) => link.index === 1 && link.stall(),
    () => undefined,
    1, // the connection of the cancel request is left to the server
  );
  expect(error).toBeInstanceOf(CanceledError);
  expect(state).toBe("abandoned");
  expect(took).toBeGreaterThanOrEqual(STOP_TIMEOUT - 5);
  expect(took).toBeLessThan(STOP_TIMEOUT + 500);
  await expectWhole(pool);
});

test("if the connection of the cancel request is reset after it was sent, the query's connection is destroyed at once", async () => {
  const { error, state, took, pool } = await canceled({
    onChunk: (link) => {
      if (link.index === 1) link.reset();
    },
  });
  expect(error).toBeInstanceOf(CanceledError);
  expect(state).toBe("abandoned");
  expect(took).toBeLessThan(STOP_TIMEOUT);
  await expectWhole(pool);
});

test("if the connection of the cancel request is refused for a while, the request is sent later", async () => {
  const { error, state, pool } = await canceled(
    () => undefined,
    async (_, proxy) => {
      await proxy.refuse();
      setTimeout(() => void proxy.refuse(false), 30);
    },
  );
  expect(error).toBeInstanceOf(CanceledError);
  expect(state).toBe("stopped");
  await expectWhole(pool);
});

test("if the query's connection stalls, the server stops the query and the connection is destroyed", async () => {
  const look = await observer({ connectionString: server.url });
  const { error, state, took, pool, text } = await canceled(
    () => undefined,
    (link) => link.stall(),
  );
  expect(error).toBeInstanceOf(CanceledError);
  expect(state).toBe("abandoned");
  expect(took).toBeLessThan(STOP_TIMEOUT + 500);
  expect(await look.running(text)).toBe(0);
  await expectWhole(pool);
});

test("if the query's connection is reset, the query rejects at once", async () => {
  const { error, took, pool } = await canceled(
    () => undefined,
    (link) => link.reset(),
  );
  expect(error).toBeInstanceOf(Error);
  expect(took).toBeLessThan(STOP_TIMEOUT);
  await expectWhole(pool);
});

test("a query that waits for a connection is served after the only connection was destroyed", async () => {
  const proxy = await startProxy(server);
  const pool = testPool({ connectionString: through(proxy), max: 1 });
  const db = withContext(pool, { stopTimeout: STOP_TIMEOUT });
  await db.query(background(), "select 1");
  using ctx = withCancel(background());
  const first = db.query(ctx, "select pg_sleep(3)").catch((e: unknown) => e);
  await until(() => pool.idleCount === 0);
  proxy.links[0]!.stall();
  const next = db.query<{ n: number }>(background(), "select 2 as n");
  ctx.cancel();
  expect(await first).toBe(ctx.err());
  expect((await next).rows).toEqual([{ n: 2 }]);
});

test("the caller's own client emits no error event when it is destroyed", async () => {
  const proxy = await startProxy(server);
  const client = new pg.Client({ connectionString: through(proxy) });
  await client.connect();
  using ctx = withCancel(background());
  const query = withContext(client, { stopTimeout: STOP_TIMEOUT }).query(ctx, "select pg_sleep(3)");
  const answer = query.catch((e: unknown) => e);
  proxy.links[0]!.stall();
  ctx.cancel();
  expect(await answer).toBe(ctx.err()); // an "error" event without a listener would be thrown
  await until(() => proxy.open === 0);
});

// The processes are killed, not shut down. A killed backend makes the server end all backends. Without
// the postmaster, nothing accepts the cancel request.
test.each(["a backend", "the postmaster"])(
  "when %s is killed, running queries reject, and so do queries that are being canceled",
  async (whom) => {
    const doomed = await startPostgres();
    onTestFinished(() => doomed.stop());
    const pool = testPool({ connectionString: doomed.url, max: 3 });
    const db = withContext(pool, { stopTimeout: STOP_TIMEOUT });
    const look = await observer({ connectionString: doomed.url });
    const text = `select pg_sleep(60) ${mark()}`;
    using ctx = withCancel(background());
    const failure = (work: Promise<unknown>): Promise<unknown> => work.catch((e: unknown) => e);
    const works = [
      failure(db.query(background(), text)),
      failure(db.query(ctx, text)),
      failure(db.transaction(ctx, (tx) => tx.query(ctx, text))),
    ];
    await until(async () => (await look.running(text)) === 3);
    const { rows } = await look.query<{ pid: number }>(
      "select pid from pg_stat_activity where query like $1 limit 1",
      [`%${text}%`],
    );
    ctx.cancel();
    process.kill(whom === "a backend" ? rows[0]!.pid : doomed.pid, "SIGKILL");
    for (const work of works) expect(await work).toBeInstanceOf(Error);
    await until(() => pool.totalCount === 0);
  },
);
