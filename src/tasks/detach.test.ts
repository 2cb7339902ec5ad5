import { describe, expect, test } from "vitest";
import { flush, reported, turn } from "../../test/support.ts";
import { hostileValues } from "../../test/support/hostile-values.ts";
import { watchReports } from "../../test/support/reports.ts";
import {
  background,
  detach,
  isDeadlineExceeded,
  key,
  sleep,
  startWork,
  stopped,
  withCancel,
  withLedger,
  withValue,
  working,
  type Context,
} from "../index.ts";
import { ledgerOf } from "../internal.ts";
import { ManualClock, useClock } from "../testing/index.ts";

const K = key<string>("k");
const failed = { name: "DetachedError", code: "EIGHTYSIX_DETACHED_FAILED" };

describe("detach", () => {
  const warnings = watchReports();

  test("starts its function at once, with the values of its context and without its end", () => {
    const ctx = withCancel(withValue(background(), K, "v"));
    ctx.cancel();
    const seen: unknown[] = [];
    const result: unknown = detach(ctx, 1_000, (inner) => seen.push(inner.err(), inner.value(K)));
    expect(seen).toEqual([undefined, "v"]);
    expect(result).toBeUndefined();
  });

  test("ends the context of its function when the function has finished", async () => {
    let inner: Context | undefined;
    detach(background(), 1_000, async (ctx) => {
      inner = ctx;
      await flush();
      expect(ctx.err()).toBeUndefined();
    });
    await turn();
    expect(inner?.err()).toBeDefined();
  });

  test("has a ledger of its own, so that its work is not that of the request", async () => {
    const request = withLedger(withCancel(background()));
    let receipts: unknown;
    let kinds: unknown;
    detach(request, 5, async (ctx) => {
      const work = startWork(ctx, "test.work");
      kinds = [working(request), working(ctx)].map((list) => list.map(({ kind }) => kind));
      await sleep(ctx, 60_000).catch(() => undefined);
      work.end();
      receipts = await stopped(ctx);
    });
    expect(kinds).toEqual([[], ["test.work"]]);
    while (receipts === undefined) await turn();
    expect(receipts).toMatchObject([{ kind: "test.work", state: "stopped", reason: "deadline" }]);
    expect(await stopped(request)).toEqual([]);
  });

  test("counts as outliving work of the request until its function has finished", async () => {
    const request = withLedger(withCancel(background()));
    let open = (): void => undefined;
    detach(request, 60_000, () => new Promise<void>((resolve) => (open = resolve)));
    expect(ledgerOf(request)?.outliving).toMatchObject({ size: 1, shields: 0, hasShielded: false });
    open();
    await flush();
    expect(ledgerOf(request)?.outliving).toMatchObject({ size: 0, abandoned: 0 });
  });

  test("gives a function up when its budget has passed, and reports its error", async () => {
    const clock = new ManualClock();
    {
      using _ = useClock(clock);
      const request = withLedger(background());
      detach(request, 100, (ctx) => sleep(ctx, Infinity));
      clock.advance(100);
      await flush();
      expect(ledgerOf(request)?.outliving).toMatchObject({ size: 0, abandoned: 1 });
      expect(clock.timers).toBe(0);
    }
    await turn();
    expect(warnings).toMatchObject([failed]);
    expect((warnings[0] as { detail?: string }).detail).toContain("context deadline exceeded");
  });

  test.each([
    ["throws", () => { throw new Error("no"); }], // prettier-ignore
    ["rejects", () => Promise.reject(new Error("no"))],
    ["returns a thenable that rejects", () => ({ then: (_: unknown, no: (e: Error) => void) => no(new Error("no")) })], // prettier-ignore
  ])("makes a process warning of the error of a function that %s", async (_, fn) => {
    detach(background(), 1_000, fn);
    await turn();
    expect(warnings).toMatchObject([failed]);
    expect((warnings[0] as { detail?: string }).detail).toContain("Error: no");
  });

  test.each(hostileValues)("makes a process warning of %s", async (_, make) => {
    const error = make();
    expect(
      await reported(() =>
        detach(background(), 1_000, () => {
          throw error;
        }),
      ),
    ).toEqual([]);
    expect(warnings).toMatchObject([failed]);
  });

  test("passes an error to the nearest ledger that takes it, and waits for that", async () => {
    const server = withLedger(background());
    const errors: unknown[] = [];
    let open = (): void => undefined;
    const ledger = ledgerOf(server);
    if (ledger)
      ledger.onDetachedError = (ctx, error) => {
        errors.push(ctx.value(K), error, ctx.err());
        return new Promise<void>((resolve) => (open = resolve));
      };
    const request = withLedger(withValue(server, K, "v"));
    const error = new Error("no");
    detach(request, 1_000, () => Promise.reject(error));
    await turn();
    expect(errors).toEqual(["v", error, undefined]);
    expect(ledgerOf(server)?.outliving.size).toBe(1);
    open();
    await turn();
    expect(ledgerOf(server)?.outliving).toMatchObject({ size: 0, abandoned: 0 });
    expect(warnings).toEqual([]);
  });

  test("makes a process warning of an error of that function, too", async () => {
    const server = withLedger(background());
    const ledger = ledgerOf(server);
    if (ledger) ledger.onDetachedError = () => Promise.reject(new Error("a bug"));
    detach(server, 1_000, () => Promise.reject(new Error("no")));
    await turn();
    expect(warnings).toMatchObject([
      { ...failed, message: expect.stringMatching(/^onDetachedError of serve failed/) as string },
    ]);
  });

  test("refuses wrong arguments at once", () => {
    const fn = () => undefined;
    expect(() => detach(undefined as never, 1, fn)).toThrow(/nil parent: detach got undefined/);
    expect(() => detach(background(), Infinity, fn)).toThrow(/detach needs a finite budget/);
    expect(() => detach(background(), Number.NaN, fn)).toThrow(RangeError);
    expect(() => detach(background(), 1, undefined as never)).toThrow(/detach takes a function/);
  });

  test("isDeadlineExceeded tells a budget that has passed from other errors", async () => {
    const server = withLedger(background());
    const errors: unknown[] = [];
    const ledger = ledgerOf(server);
    if (ledger) ledger.onDetachedError = (_, error) => errors.push(error);
    detach(server, 1, (ctx) => sleep(ctx, Infinity));
    while (errors.length === 0) await turn();
    expect(errors.map(isDeadlineExceeded)).toEqual([true]);
  });
});
