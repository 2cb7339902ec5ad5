/** A call that waits for a connection which its own caller holds, with sessions that the tests control. */
import { describe, expect, test } from "vitest";
import {
  background,
  key,
  Semaphore,
  stopped,
  withCancel,
  withLedger,
  withValue,
  type CancelableContext,
  type Context,
  type Permit,
} from "../index.ts";
import { flush, turn } from "../../test/support.ts";
import { Deferred, rejection, watchReports } from "../../test/support/reports.ts";
import { HeldConnection, holderOf } from "./held-connection.ts";
import { lease } from "./lease.ts";
import type { Session, Stream } from "./session.ts";
import { sessionMethods } from "./sessions.ts";
import { takePlace } from "./take-place.ts";

const warnings = watchReports();

/**
 * The methods of an adapter whose pool has one connection. `query` runs one statement on it. Callers
 * wait in `lease`, or for a place of the pool.
 */
function poolOfOne(waitsIn: "lease" | "places" = "lease") {
  const pool = new Semaphore(1);
  const runs = new Deferred();
  const sessionWith = (
    place: Permit,
  ): Session<never, { query(ctx: Context): Promise<void> }, [], number> => ({
    statements: { query: () => runs.promise },
    execute: () => Promise.resolve(),
    open: (): Stream<number> => ({
      next: () => Promise.resolve([1]),
      close: () => Promise.resolve(runs.resolve()),
      ended: runs.promise,
    }),
    transactionSteps: () => ({
      begin: () => Promise.resolve(),
      commit: () => Promise.resolve(),
      rollback: () => Promise.resolve(),
      destroy: () => undefined,
    }),
    reset: () => Promise.resolve(),
    destroy: () => undefined,
    end: () => place.release(),
  });
  const take = (ctx: Context): Promise<Permit> =>
    waitsIn === "places"
      ? takePlace(pool, ctx)
      : lease(ctx, {
          kind: "test.wait",
          pool,
          take: () => pool.acquire(background()),
          giveBack: (place) => place.release(),
        });
  const db = sessionMethods({ pool, take: (ctx) => take(ctx).then(sessionWith) });
  const query = async (ctx: Context): Promise<void> => {
    (await take(ctx)).release();
  };
  return { db, query, pool, runs };
}

type Db = ReturnType<typeof poolOfOne>["db"];

/** Each way to hold a connection while `fn` runs. */
const uses: Record<string, (db: Db, ctx: Context, fn: () => Promise<unknown>) => Promise<unknown>> =
  {
    transaction: (db, ctx, fn) => db.transaction(ctx, fn),
    "nested transaction": (db, ctx, fn) => db.transaction(ctx, (tx) => tx.transaction(ctx, fn)),
    connection: (db, ctx, fn) => db.connection(ctx, fn),
    async stream(db, ctx, fn) {
      for await (const _ of db.stream(ctx)) await fn();
    },
  };

let places = 0;
/** Calls `fn` at a place in the program that no other call has. */
async function atNewPlace<T>(fn: () => Promise<T>): Promise<T> {
  const name = `place${++places}`;
  const calls: Record<string, () => Promise<T>> = { [name]: async () => await fn() };
  return await calls[name]!();
}

async function found(): Promise<string[]> {
  await turn();
  return warnings.map(({ message }) => message);
}

/**
 * Runs `start`, which makes a call wait for a connection, and then cancels `ctx`. Returns what `start`
 * rejects with.
 */
async function cancelTheWait(
  ctx: CancelableContext,
  start: () => Promise<unknown>,
): Promise<unknown> {
  const rejected = rejection(atNewPlace(start));
  await flush();
  ctx.cancel();
  return await rejected;
}

describe("a call that waits for a connection of its pool until its context ends", () => {
  const request = withLedger(background());

  test.each(Object.entries(uses))(
    "inside a %s of the same context rejects with ctx.err(), and a process warning says what happened",
    async (name, use) => {
      const { db, query } = poolOfOne();
      const ctx = withCancel(background());
      const error = await cancelTheWait(ctx, () => use(db, ctx, () => query(ctx)));
      expect(error).toBe(ctx.err());
      const [method] = name.split(" ").reverse();
      expect(await found()).toEqual([
        expect.stringContaining(
          `a call waited for a connection until its context ended, while ${method}(ctx, …) of the same context held one and ran nothing on it. If the function of ${method} waits for that call, it waits for itself`,
        ),
      ]);
    },
  );

  test.each(["lease", "places"] as const)(
    "in its %s warns with a code, and with the stack that leads to the call",
    async (waitsIn) => {
      const { db, query } = poolOfOne(waitsIn);
      const ctx = withCancel(background());
      await cancelTheWait(ctx, () => db.transaction(ctx, () => query(ctx)));
      await turn();
      expect(warnings).toMatchObject([
        {
          name: "EightysixWarning",
          code: "EIGHTYSIX_WAITS_FOR_ITSELF",
          detail: expect.stringMatching(/^ {4}at .*\n {4}at cancelTheWait /) as string,
        },
      ]);
    },
  );

  test("warns once for each place in the program", async () => {
    const { db, query } = poolOfOne();
    for (let i = 0; i < 3; i++) {
      const ctx = withCancel(background());
      const rejected = rejection(db.transaction(ctx, () => query(ctx)));
      await flush();
      ctx.cancel();
      await rejected;
    }
    expect(await found()).toHaveLength(1);
  });

  test("is recorded in the ledger with the call that holds the connection", async () => {
    const { db, query } = poolOfOne();
    const ledger = withLedger(background());
    const ctx = withCancel(ledger);
    await cancelTheWait(ctx, () => db.transaction(ctx, () => query(ctx)));
    expect(await stopped(ledger)).toMatchObject([
      {
        kind: "test.wait",
        what: "while transaction(ctx, …) of the same context holds a connection",
      },
    ]);
  });

  test("is recorded without such a call if its context holds no connection", async () => {
    const { query, pool } = poolOfOne();
    await pool.acquire(background());
    const ledger = withLedger(background());
    const ctx = withCancel(ledger);
    await cancelTheWait(ctx, () => query(ctx));
    expect(await stopped(ledger)).toMatchObject([{ kind: "test.wait", what: undefined }]);
  });

  test.each<[string, (ctx: Context) => Context, parent: Context]>([
    ["a child of that context", (ctx) => withCancel(ctx), background()],
    ["a context with another value", (ctx) => withValue(ctx, key("n"), 1), background()],
    ["a parent of that context, and both have one ledger", () => request, request],
  ])("warns also if it has %s", async (_, derive, parent) => {
    const { db, query } = poolOfOne();
    const all = withCancel(parent);
    const ctx = withCancel(all);
    const other = derive(ctx) === request ? all : derive(ctx);
    await cancelTheWait(all, () => db.transaction(ctx, () => query(other)));
    expect(await found()).toHaveLength(1);
  });

  test.each<[string, (ctx: Context) => Context]>([
    ["a child of that context with a ledger of its own", (ctx) => withLedger(ctx)],
    ["another context", () => background()],
  ])("does not warn if it has %s", async (_, derive) => {
    const { db, query } = poolOfOne();
    const leader = withCancel(background());
    const ctx = withCancel(derive(leader));
    await cancelTheWait(ctx, () => db.transaction(leader, () => query(ctx)));
    expect(await found()).toEqual([]);
  });

  test("does not warn if the connection is busy with a statement", async () => {
    const { db, query, runs } = poolOfOne();
    const ctx = withCancel(background());
    const work = db.transaction(ctx, (tx) => tx.query(ctx));
    await flush();
    await cancelTheWait(ctx, () => query(ctx));
    runs.resolve();
    await work;
    expect(await found()).toEqual([]);
  });

  test("does not warn after the connection was given back", async () => {
    const { db, query, pool } = poolOfOne();
    const ctx = withCancel(background());
    await db.transaction(ctx, () => undefined);
    await pool.acquire(background());
    await cancelTheWait(ctx, () => query(ctx));
    expect(await found()).toEqual([]);
  });

  test("does not warn if the pool refuses before the context ends", async () => {
    const { db, pool } = poolOfOne();
    using ctx = withCancel(background());
    const refused = new Error("the pool has no more connections");
    const work = db.transaction(ctx, () =>
      lease(ctx, {
        kind: "test.wait",
        pool,
        take: () => Promise.reject(refused),
        giveBack: () => undefined,
      }),
    );
    expect(await rejection(work)).toBe(refused);
    expect(await found()).toEqual([]);
  });

  test("does not warn if it gets the connection in time", async () => {
    const { db, query } = poolOfOne();
    using ctx = withCancel(background());
    const end = new Deferred();
    const work = db.transaction(ctx, () => end.promise);
    await flush();
    const waiting = query(ctx);
    await flush();
    end.resolve();
    await Promise.all([waiting, work]);
    expect(await found()).toEqual([]);
  });
});

describe("a held connection", () => {
  test("is found while its function runs, beside another of the same pool", async () => {
    const pool = {};
    const contexts = [withCancel(background()), withCancel(background())] as const;
    const [first, second] = contexts.map((ctx, i) => new HeldConnection(pool, ctx, `call ${i}`));
    const find = () => contexts.map((ctx) => holderOf(pool, ctx));
    await first!.callFunction(async () => {
      expect(find()).toEqual(["call 0", undefined]);
      await second!.callFunction(() => expect(find()).toEqual(["call 0", "call 1"]));
    });
    expect(find()).toEqual([undefined, undefined]);
  });

  test("is found after a function inside its function has ended", async () => {
    const pool = {};
    const ctx = withCancel(background());
    const held = new HeldConnection(pool, ctx, "call");
    await held.callFunction(async () => {
      await held.callFunction(() => undefined);
      expect(holderOf(pool, ctx)).toBe("call");
    });
  });
});
