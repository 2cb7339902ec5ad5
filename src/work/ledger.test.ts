import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, expect, test } from "vitest";
import { flush, secondCopy } from "../../test/support.ts";
import {
  background,
  startWork,
  stopped,
  withCancel,
  withLedger,
  withTimeout,
  working,
  type Context,
  type Work,
} from "../index.ts";
import { ManualClock, useClock } from "../testing/index.ts";

describe("the ledger", () => {
  test("lists the running work under it, oldest first, from any depth", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const ctx = withLedger(background());
    const a = startWork(withCancel(ctx), "pg.query", "select 1");
    clock.advance(5);
    const b = startWork(withTimeout(ctx, 10), "fetch");
    const list = working(withCancel(ctx)).map(({ kind, what, running }) => [kind, what, running]);
    expect(list).toEqual([
      ["pg.query", "select 1", 5],
      ["fetch", undefined, 0],
    ]);
    a.end();
    expect(working(ctx)).toEqual([b]);
    b.end();
    expect(working(ctx)).toEqual([]);
  });

  test("has a receipt for work that was running when its context ended, and none for other work", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const request = withCancel(background());
    const ctx = withLedger(request);
    const [quick, slow, lost] = ["quick", "slow", "abandoned"].map((kind) => startWork(ctx, kind));
    clock.advance(10);
    quick?.end();
    request.cancel();
    clock.advance(3);
    slow?.end();
    slow?.end("abandoned"); // too late to matter
    clock.advance(4);
    lost?.end("abandoned");
    expect(await stopped(ctx)).toEqual([
      { kind: "slow", what: undefined, ran: 10, state: "stopped", after: 3, reason: "canceled" },
      {
        kind: "abandoned",
        what: undefined,
        ran: 10,
        state: "abandoned",
        after: 7,
        reason: "canceled",
      },
    ]);
  });

  test.each([
    ["finished", (ctx: ReturnType<typeof withTimeout>) => void ctx[Symbol.dispose]()],
    ["finished", (ctx: ReturnType<typeof withTimeout>) => void ctx.cancel({ finished: true })],
    ["canceled", (ctx: ReturnType<typeof withTimeout>) => void ctx.cancel()],
    ["deadline", (_: unknown, clock: ManualClock) => void clock.block(50)],
  ] as const)("has receipts that say how the context ended: %s", async (reason, end) => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const request = withTimeout(background(), 50);
    const ctx = withLedger(request);
    const work = startWork(ctx, "k");
    end(request, clock);
    clock.block(7);
    work.end();
    expect(await stopped(ctx)).toMatchObject([{ reason, after: 7 }]);
  });

  test("counts work that started after the end from its own start", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    clock.advance(1_000);
    const done = withCancel(withLedger(background()));
    done.cancel();
    clock.advance(1_000);
    const work = startWork(done, "late");
    clock.advance(5);
    work.end();
    expect(await stopped(done)).toMatchObject([{ ran: 0, after: 5 }]);
  });

  test("makes stopped() wait for the last work, but not longer than `within`", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const request = withCancel(background());
    const ctx = withLedger(request);
    const work = startWork(ctx, "slow");
    request.cancel();
    let receipts: unknown;
    const all = stopped(ctx).then((r) => (receipts = r));
    const some = stopped(ctx, { within: 20 });
    clock.advance(20);
    expect(await some).toMatchObject([{ kind: "slow", state: "running", after: 20 }]);
    await flush();
    expect(receipts).toBeUndefined();
    expect(clock.timers).toBe(0);
    work.end();
    await all;
    expect(receipts).toMatchObject([{ kind: "slow", state: "stopped", after: 20 }]);
  });

  test("keeps the last thousand receipts", async () => {
    const request = withCancel(background());
    const ctx = withLedger(request);
    request.cancel();
    for (let i = 0; i < 1_500; i++) startWork(ctx, String(i)).end();
    const receipts = await stopped(ctx);
    expect([receipts.length, receipts[0]?.kind]).toEqual([1_000, "500"]);
  });

  test("is not needed: without one, working() and stopped() return nothing and work is not recorded", async () => {
    const ctx = withCancel(background());
    expect(startWork(ctx, "k")).toBe(startWork(background(), "other"));
    expect(working(ctx)).toEqual([]);
    expect(await stopped(ctx)).toEqual([]);
  });

  test("is shared by two copies of the package", async () => {
    const there = await secondCopy();
    const request = withCancel(background());
    const ctx = withLedger(request);
    const theirs = there.startWork(there.withCancel(ctx), "theirs");
    expect(working(ctx).map((work) => work.kind)).toEqual(["theirs"]);
    request.cancel();
    theirs.end();
    expect(await stopped(ctx)).toMatchObject([{ kind: "theirs", reason: "canceled" }]);
  });
});

test("work is published on its channels, with or without a ledger", () => {
  const heard: [string, unknown][] = [];
  const start = (message: unknown): void =>
    void heard.push(["start", (message as Work & { kind: string }).kind]);
  const end = (message: unknown): void => {
    const { work, receipt } = message as {
      work: { kind: string };
      receipt: { after: number } | undefined;
    };
    heard.push(["end", [work.kind, receipt?.after]]);
  };
  const clock = new ManualClock();
  using _ = useClock(clock);
  subscribe("eightysix:work.start", start);
  subscribe("eightysix:work.end", end);
  try {
    const run = (ctx: Context): void => {
      startWork(ctx, "k").end();
    };
    run(background());
    const done = withTimeout(background(), 5);
    const work = startWork(done, "late");
    clock.block(7);
    work.end();
  } finally {
    unsubscribe("eightysix:work.start", start);
    unsubscribe("eightysix:work.end", end);
  }
  startWork(background(), "unheard").end();
  expect(heard).toEqual([
    ["start", "k"],
    ["end", ["k", undefined]],
    ["start", "late"],
    ["end", ["late", 2]],
  ]);
});
