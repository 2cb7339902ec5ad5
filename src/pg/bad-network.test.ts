/** Faults of the query's connection, of the cancel request's connection, or of both. */
import type pg from "pg";
import { beforeAll, expect, test } from "vitest";
import { background, withCancel, type Context } from "../index.ts";
import { startPostgres, type PostgresServer } from "../../servers/postgres.ts";
import { mark, observer, testPool, until, type Observer } from "../../test/support/postgres.ts";
import { startProxy, type Link } from "../../test/support/proxy.ts";
import { withContext, type ContextDatabase } from "./index.ts";

const STOP_TIMEOUT = 300;
/** How much later than the stop timeout an answer may come on a busy machine. */
const A_LITTLE = 5_000;

let server: PostgresServer;
let look: Observer;
beforeAll(async () => {
  server = await startPostgres();
  return () => server.stop();
});

const works = {
  "a query": (db, ctx, m) => db.query(ctx, `select ${m} pg_sleep(3)`),
  "a transaction": (db, ctx, m) =>
    db.transaction(ctx, (tx) => tx.query(ctx, `select ${m} pg_sleep(3)`)),
  "a stream": async (db, ctx, m) => {
    for await (const _ of db.stream(ctx, `select ${m} pg_sleep(3)`));
  },
} satisfies Record<
  string,
  (db: ContextDatabase<pg.Pool>, ctx: Context, m: string) => Promise<unknown>
>;

const faults: Record<string, (link: Link) => void> = {
  stalls: (link) => link.stall(),
  resets: (link) => link.reset(),
  delays: (link) => link.delay(100),
  "is closed by half towards the client": (link) => link.halfClose("client"),
  "is closed by half towards the server": (link) => link.halfClose("server"),
};

async function survives(work: keyof typeof works, fault: string, where: string): Promise<void> {
  const strike = faults[fault]!;
  let stormy = true;
  const proxy = await startProxy(server, (link) => {
    if (stormy && link.index > 0 && where !== "query") strike(link);
  });
  const url = new URL(server.url);
  url.host = `${proxy.host}:${proxy.port}`;
  const pool = testPool({ connectionString: url.href, max: 1 });
  const m = mark();
  using ctx = withCancel(background());
  const answer = works[work](withContext(pool, { stopTimeout: STOP_TIMEOUT }), ctx, m).then(
    () => "no error",
    (error: unknown) => error,
  );
  await until(async () => (await look.running(m)) === 1);
  if (where !== "cancel") strike(proxy.links[0]!);
  const start = performance.now();
  ctx.cancel();
  const error = await answer;
  stormy = false;
  const said = `${work}, ${where}: ${fault}`;
  expect(performance.now() - start, said).toBeLessThan(STOP_TIMEOUT + A_LITTLE);
  // The driver may notice the broken connection before it is told that the context is done.
  if (error !== ctx.err()) expect(String(error), said).toMatch(/terminated|ECONNRESET|EPIPE/);
  // A connection that is half closed may break while it is idle. That is the pool's own affair.
  await until(() =>
    pool.query("select 1").then(
      () => true,
      () => false,
    ),
  );
  expect([pool.totalCount, pool.idleCount, pool.waitingCount], said).toEqual([1, 1, 0]);
}

test.each(Object.keys(works) as (keyof typeof works)[])(
  "%s rejects in time and leaves the pool usable, whatever its connections do",
  async (work) => {
    look = await observer({ connectionString: server.url });
    await Promise.all(
      Object.keys(faults).flatMap((fault) =>
        ["query", "cancel", "both"].map((where) => survives(work, fault, where)),
      ),
    );
  },
);
