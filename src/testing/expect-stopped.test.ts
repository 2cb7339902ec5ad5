import { describe, expect, test, vi } from "vitest";
import { inUserCode } from "../../test/support/user-code.ts";
import {
  background,
  developmentMode,
  startWork,
  stopped,
  withCancel,
  withLedger,
  withTimeout,
} from "../index.ts";
import { expectStopped, ManualClock, useClock } from "./index.ts";

const canceled = () => {
  const scope = withCancel(background());
  return { ctx: withLedger(scope), scope };
};

/** The message with which `expectStopped` rejects. */
async function messageOf(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => new Error("it resolved"),
    (reason: unknown) => reason,
  );
  return (error as Error).message;
}

describe("expectStopped", () => {
  test("waits until the work has ended, and returns the receipts", async () => {
    const { ctx, scope } = canceled();
    const work = startWork(ctx, "pg.query", "select 1");
    scope.cancel();
    setTimeout(() => work.end(), 20);
    const receipts = await expectStopped(ctx);
    expect(receipts).toMatchObject([{ kind: "pg.query", state: "stopped", reason: "canceled" }]);
    expect(receipts).toEqual(await stopped(ctx));
  });

  test("resolves at once if no work was running", async () => {
    expect(await expectStopped(canceled().ctx, { within: 0 })).toEqual([]);
  });

  test("names work that still runs after its context was canceled", async () => {
    const { ctx, scope } = canceled();
    const work = startWork(ctx, "pg.query", "select pg_sleep(60)");
    scope.cancel();
    expect(await messageOf(expectStopped(ctx, { within: 10 }))).toMatch(
      /^one piece of work has not stopped within 10 ms:\n- pg\.query \(select pg_sleep\(60\)\) is still running, \d+ ms after its context was canceled\n.*EIGHTYSIX_DEV=1/,
    );
    work.end();
  });

  test("names work that was abandoned", async () => {
    const scope = withTimeout(background(), 0);
    const ctx = withLedger(scope);
    startWork(ctx, "fetch").end("abandoned");
    startWork(ctx, "redis.blpop").end();
    expect(await messageOf(expectStopped(ctx))).toMatch(
      /^one piece of work has not stopped:\n- fetch was abandoned 0 ms after its context had reached its deadline: nothing has confirmed/,
    );
  });

  test("says that the context is live if nothing has canceled the work", async () => {
    const ctx = withLedger(background());
    const works = [startWork(ctx, "pg.query"), startWork(ctx, "fetch", "x".repeat(300))];
    const message = await messageOf(expectStopped(ctx, { within: 0 }));
    expect(message).toMatch(/^2 pieces of work have not stopped/);
    expect(message).toMatch(/pg\.query has been running for \d+ ms, and its context is live/);
    expect(message).toContain(`fetch (${"x".repeat(200)}…)`);
    for (const work of works) work.end();
  });

  test("shows the code that started the work in development mode", async () => {
    developmentMode(true);
    try {
      const { ctx, scope } = canceled();
      const work = inUserCode(() => startWork(ctx, "pg.query"));
      inUserCode(() => startWork(ctx, "fetch")).end(); // before the end: no receipt
      const lost = inUserCode(() => startWork(ctx, "mail.send"));
      scope.cancel();
      lost.end("abandoned");
      const message = await messageOf(expectStopped(ctx, { within: 0 }));
      expect(message).toMatch(/- pg\.query is still .*\n +at inUserCode .*user-code\.ts/);
      expect(message).toMatch(/- mail\.send was abandoned.*\n +at inUserCode .*user-code\.ts/);
      expect(message).not.toContain("EIGHTYSIX_DEV");
      work.end();
    } finally {
      developmentMode(false);
    }
  });

  test("fails at the line of the test that called it", async () => {
    const ctx = withLedger(background());
    const work = startWork(ctx, "fetch");
    const error: unknown = await inUserCode(() => expectStopped(ctx, { within: 1 })).catch(
      (reason: unknown) => reason,
    );
    expect((error as Error).stack).toMatch(/EIGHTYSIX_DEV=1\.\n +at inUserCode/);
    work.end();
  });

  test("waits in real time while the clock of the contexts stands still", async () => {
    using _ = useClock(new ManualClock());
    vi.useFakeTimers();
    try {
      const { ctx, scope } = canceled();
      const work = startWork(ctx, "pg.query");
      scope.cancel();
      await messageOf(expectStopped(ctx, { within: 5 }));
      work.end();
      expect(await expectStopped(ctx)).toHaveLength(1);
    } finally {
      vi.useRealTimers();
    }
  });

  test("rejects a context without a ledger, because nothing would be checked", async () => {
    await expect(expectStopped(background())).rejects.toThrow(
      "expectStopped needs a context with a ledger, and found none; pass testContext(t)",
    );
  });

  test("rejects wrong arguments", async () => {
    const ctx = withLedger(background());
    await expect(expectStopped({} as never)).rejects.toThrow("needs a Context");
    await expect(expectStopped(ctx, { within: Number.NaN })).rejects.toThrow(RangeError);
    await expect(expectStopped(ctx, { wihtin: 1 } as never)).rejects.toThrow("unknown option");
  });
});
