/**
 * PostgreSQL before 18 signals a backend twice for one cancel request. Behind a pooler that closes the
 * connection of the request early, the second signal can arrive when the next query runs. So such a
 * close proves nothing there.
 */
import { Socket } from "node:net";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { answers } from "../../src/adapter/postgresql/second-signal.ts";
import { background, withCancel } from "../../src/index.ts";
import { advisoryLock } from "../support/pooler/advisory-lock.ts";
import { behaviors } from "../support/pooler/behavior.ts";
import { drivers, forms, type DriverName, type Select } from "../support/pooler/drivers.ts";
import { startPooler, type Pooler } from "../support/pooler/pooler.ts";
import { mark, observer, postgresUrl, until } from "../support/postgres.ts";

beforeEach(() => answers.clear());

/** Starts a query, and resolves when it runs on the server. */
async function startQuery(select: Select) {
  const look = await observer();
  const ctx = withCancel(background());
  onTestFinished(() => ctx.cancel());
  const tag = mark();
  const settled = select(ctx, `select 1 as i, pg_sleep(60) ${tag}`).catch((e: unknown) => e);
  await until(async () => (await look.running(tag)) === 1);
  return { ctx, settled };
}

async function stopOne(select: Select): Promise<void> {
  const { ctx, settled } = await startQuery(select);
  ctx.cancel();
  expect(await settled).toBe(ctx.err());
}

function questionsTo({ clients }: Pooler): string[] {
  const sent = clients.flatMap(({ statements }) => statements);
  return sent.filter((sql) => sql.includes("server_version_num"));
}

test.each(forms)(
  "a second signal, after the answer to the first, hits no query that follows a $form of $driver",
  async ({ driver, form }) => {
    const look = await observer();
    const lock = await advisoryLock();
    const signals: (() => void)[] = [];
    const pooler = await startPooler({
      ...behaviors["session mode"],
      version: 170_000,
      again: () => new Promise<void>((resolve) => signals.push(resolve)),
    });
    const db = drivers[driver]({ url: pooler.url, max: 1 });
    await stopOne(db[form]!);
    const tag = mark();
    const next = db.query(background(), `select 3 as i, ${lock.wait} ${tag}`);
    next.catch(() => undefined);
    await until(async () => (await look.running(tag)) === 1);
    // On a busy machine a second request may be sent.
    await until(() => {
      for (const signal of signals.splice(0)) signal();
      return pooler.handled === pooler.arrived;
    });
    await lock.release();
    expect(await next).toBe(3);
    expect(pooler.clients).toHaveLength(2);
    expect(pooler.clients[0]?.isClosed).toBe(true);
  },
);

test.each(forms)(
  "if the server signals once, the connection is used again after a $form of $driver",
  async ({ driver, form }) => {
    const pooler = await startPooler({ ...behaviors["session mode"], version: 180_000 });
    const db = drivers[driver]({ url: pooler.url, max: 1 });
    // A server does not answer inside a transaction that has failed, so it is asked after a query.
    // On a busy machine a second request may be sent. Then the connection is closed.
    for (let attempt = 0; attempt < 10; attempt++) {
      await stopOne(db.query);
      const client = pooler.clients.at(-1);
      const asked = questionsTo(pooler).length;
      await stopOne(db[form]!);
      expect(await db.query(background(), "select 3 as i")).toBe(3);
      if (client?.isClosed !== false || pooler.clients.at(-1) !== client) continue;
      expect(asked).toBeGreaterThan(0);
      expect(questionsTo(pooler)).toHaveLength(asked); // once was enough
      return;
    }
    expect.unreachable("no connection was used again");
  },
);

test.each(Object.keys(drivers) as DriverName[])(
  "a connection of %s to the server itself is used again, although the answer comes after the close",
  async (driver) => {
    const connect = vi.spyOn(Socket.prototype, "connect");
    onTestFinished(() => connect.mockRestore());
    const sockets = connect.mock.contexts as Socket[];
    const { query } = drivers[driver]({ url: postgresUrl(), max: 1 });
    const pid = (): Promise<number> => query(background(), "select pg_backend_pid() as i");
    const before = await pid();
    const own = sockets.at(-1)!;
    const { ctx, settled } = await startQuery(query);
    own.pause();
    const count = sockets.length;
    ctx.cancel();
    await until(() => sockets.at(count)?.closed === true);
    own.resume();
    expect(await settled).toBe(ctx.err());
    expect(await pid()).toBe(before);
  },
);
