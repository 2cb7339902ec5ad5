/** What `lease` promises about the wait for a connection, with a pool that the tests control. */
import { describe, expect, test } from "vitest";
import { background, stopped, withCancel, withLedger, withTimeout, working } from "../index.ts";
import { ManualClock, useClock } from "../testing/index.ts";
import { turn } from "../../test/support.ts";
import { adapterThrew, Deferred, rejection, watchReports } from "../../test/support/reports.ts";
import { lease, type LeaseOptions } from "./lease.ts";

const warnings = watchReports();

/** Waits for a connection of a pool that grants or refuses it when the test says so. */
function wait(
  options: Partial<LeaseOptions<string>> = {},
  ctx = withCancel(withLedger(background())),
) {
  const pool = new Deferred<string>();
  const returned: string[] = [];
  const leased = lease(ctx, {
    kind: "test.wait",
    take: () => pool.promise,
    giveBack: (connection) => void returned.push(connection),
    ...options,
  });
  leased.catch(() => undefined);
  return { ctx, pool, returned, leased };
}

describe("a caller that waits for a connection", () => {
  test("gets the connection that the pool grants, and is in the ledger until then", async () => {
    const { ctx, pool, returned, leased } = wait();
    expect(working(ctx)).toMatchObject([{ kind: "test.wait" }]);
    pool.resolve("connection");
    expect(await leased).toBe("connection");
    expect(working(ctx)).toEqual([]);
    ctx.cancel();
    await turn();
    expect(returned).toEqual([]); // it is the caller's now
    expect(await stopped(ctx)).toEqual([]);
  });

  test("gets the pool's own error if the pool refuses", async () => {
    const { ctx, pool, leased } = wait();
    const refused = new Error("too many clients already");
    pool.reject(refused);
    expect(await rejection(leased)).toBe(refused);
    expect(working(ctx)).toEqual([]);
  });

  test("gets what `take` throws", async () => {
    const refused = new Error("the pool has ended");
    const { ctx, leased } = wait({
      take: () => {
        throw refused;
      },
    });
    expect(await rejection(leased)).toBe(refused);
    expect(working(ctx)).toEqual([]);
  });

  test("leaves as soon as its context ends, although the pool has not granted anything", async () => {
    const { ctx, leased } = wait();
    ctx.cancel();
    expect(await rejection(leased)).toBe(ctx.err());
    expect(working(ctx)).toEqual([]);
    expect(await stopped(ctx)).toMatchObject([{ kind: "test.wait", state: "stopped" }]);
  });

  test("never asks the pool if its context is done", async () => {
    const ctx = withCancel(withLedger(background()));
    ctx.cancel();
    let taken = 0;
    const take = (): Promise<string> => Promise.resolve(`connection ${++taken}`);
    const leased = lease(ctx, { kind: "test.wait", take, giveBack: () => undefined });
    expect(await rejection(leased)).toBe(ctx.err());
    await turn();
    expect(taken).toBe(0);
    expect(await stopped(ctx)).toEqual([]);
  });
});

describe("a connection that the pool grants to a caller that has left", () => {
  test("goes back to the pool once", async () => {
    const { ctx, pool, returned, leased } = wait();
    ctx.cancel();
    await rejection(leased);
    pool.resolve("connection");
    await turn();
    expect(returned).toEqual(["connection"]);
  });

  test("goes back if the context ends before the caller has noticed the grant", async () => {
    const { ctx, pool, returned, leased } = wait();
    pool.resolve("connection");
    ctx.cancel();
    expect(await rejection(leased)).toBe(ctx.err());
    await turn();
    expect(returned).toEqual(["connection"]);
  });

  test("goes back if the deadline has passed and its timer is late", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const { ctx, pool, returned, leased } = wait({}, withTimeout(background(), 10));
    clock.block(20);
    pool.resolve("connection");
    expect(await rejection(leased)).toBe(ctx.err());
    expect(returned).toEqual(["connection"]);
  });

  test("causes a warning, and no unhandled rejection, if it cannot be given back", async () => {
    const { ctx, pool, leased } = wait({
      giveBack: () => {
        throw new Error("released twice");
      },
    });
    ctx.cancel();
    pool.resolve("connection");
    expect(await rejection(leased)).toBe(ctx.err());
    await turn();
    expect(warnings).toMatchObject([adapterThrew("giveBack", "released twice")]);
  });

  test("goes back after its grant has finished, however many callers have left", async () => {
    const queue: ((connection: string) => void)[] = [];
    let [depth, deepest] = [0, 0];
    /** Serves the next waiter inside the call, as the pool of `pg` does. */
    const grant = (): void => {
      deepest = Math.max(deepest, ++depth);
      queue.shift()?.("connection");
      depth--;
    };
    const ctx = withCancel(background());
    const take = () => ({ then: (granted: never) => void queue.push(granted) }) as never;
    const waiting = Array.from({ length: 100 }, () =>
      lease(ctx, { kind: "test.wait", take, giveBack: grant }),
    );
    await turn();
    ctx.cancel();
    for (const leased of waiting) expect(await rejection(leased)).toBe(ctx.err());
    grant();
    await turn();
    expect(queue).toEqual([]);
    expect(deepest).toBe(1);
  });
});

test("the pool's error does not reach a caller whose deadline has passed, although its timer is late", async () => {
  const clock = new ManualClock();
  using _ = useClock(clock);
  const { ctx, pool, leased } = wait({}, withTimeout(background(), 10));
  clock.block(20);
  pool.reject(new Error("the pool has ended"));
  expect(await rejection(leased)).toBe(ctx.err());
});

test("the pool's error does not reach a caller that has left, and is no unhandled rejection", async () => {
  const { ctx, pool, leased } = wait();
  ctx.cancel();
  pool.reject(new Error("the pool has ended"));
  expect(await rejection(leased)).toBe(ctx.err());
});
