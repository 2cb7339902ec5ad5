/** Bad weather: networks and servers that stall, reset or die, each against a server of our own. */
import pg from "pg";
import { beforeAll, afterAll, expect, onTestFinished, test, vi } from "vitest";
import { background, CanceledError, stopped, withCancel, withLedger } from "../index.ts";
import { startPostgres, type PostgresServer } from "../../servers/postgres.ts";
import { mark, observer, testPool, until } from "../../test/support/postgres.ts";
import { startProxy, type Link } from "../../test/support/proxy.ts";
import { withContext } from "./index.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const STOP_TIMEOUT = 300;

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

/** The pool's url, through a proxy. */
function through({ host, port }: { host: string; port: number }): string {
  const url = new URL(server.url);
  url.hostname = host;
  url.port = String(port);
  return url.href;
}

/**
 * Runs a long query through a proxy and cancels it. `onLink` is called for each connection; `when`
 * right before the cancel. Returns the error, what the receipt says and how long it took.
 */
async function canceled(
  onLink: (link: Link) => void,
  when: (query: Link) => void = () => undefined,
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
  when(proxy.links[0]!);
  const start = performance.now();
  ctx.cancel();
  const error = await answer;
  const took = performance.now() - start;
  const [receipt] = await stopped(ctx);
  onTestFinished(() => until(() => proxy.open === pool.totalCount));
  return { error, state: receipt?.state, took, pool, text };
}

async function expectWhole(pool: pg.Pool): Promise<void> {
  expect((await pool.query<{ n: number }>("select 1 as n")).rows).toEqual([{ n: 1 }]);
  expect(pool.totalCount).toBe(1);
  expect(pool.idleCount).toBe(1);
  expect(pool.waitingCount).toBe(0);
}

test("a proxy that behaves is no obstacle", async () => {
  const { error, state, took, pool } = await canceled(() => undefined);
  expect(error).toBeInstanceOf(CanceledError);
  expect(state).toBe("stopped");
  expect(took).toBeLessThan(STOP_TIMEOUT);
  await expectWhole(pool);
});

test("a stalled cancel connection costs the stop timeout and the connection", async () => {
  const { error, state, took, pool } = await canceled((link) => link.index === 1 && link.stall());
  expect(error).toBeInstanceOf(CanceledError);
  expect(state).toBe("abandoned");
  expect(took).toBeGreaterThanOrEqual(STOP_TIMEOUT - 5);
  expect(took).toBeLessThan(STOP_TIMEOUT + 500);
  await expectWhole(pool);
});

test("a reset cancel connection costs the connection, at once", async () => {
  const { error, state, took, pool } = await canceled((link) => link.index === 1 && link.reset());
  expect(error).toBeInstanceOf(CanceledError);
  expect(state).toBe("abandoned");
  expect(took).toBeLessThan(STOP_TIMEOUT);
  await expectWhole(pool);
});

test("a stalled query connection costs the stop timeout and the connection; the server has stopped", async () => {
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

test("a reset query connection rejects at once", async () => {
  const { error, took, pool } = await canceled(
    () => undefined,
    (link) => link.reset(),
  );
  expect(error).toBeInstanceOf(Error);
  expect(took).toBeLessThan(STOP_TIMEOUT);
  await expectWhole(pool);
});

test("a waiter is served when the connection before it had to be destroyed", async () => {
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

test("a client of the caller's that had to be destroyed emits no error event", async () => {
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

// Killed, and not shut down: a backend, which takes all others with it, or their parent, which
// leaves nobody to take the cancel request.
test.each(["a backend", "the postmaster"])(
  "%s is killed while queries run, and while one is being canceled",
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
