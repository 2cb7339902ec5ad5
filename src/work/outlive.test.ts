import { describe, expect, test } from "vitest";
import { flush, turn } from "../../test/support.ts";
import { background, shield, withCancel, withLedger, withTimeout } from "../index.ts";
import { cleanUp, ledgerOf, openLedger, shieldsOf } from "../internal.ts";
import { ManualClock, useClock } from "../testing/index.ts";

/** Resolves when the test says so. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

describe("shieldsOf", () => {
  test("counts the functions of shield that run under a request, from any depth", async () => {
    const request = withLedger(withCancel(background()));
    const { opened, open } = gate();
    expect(shieldsOf(request)).toMatchObject({ running: 0, hasBegun: false });
    const a = shield(request, 1e6, () => opened);
    const b = shield(withTimeout(withLedger(request), 1e6), 1e6, (ctx) =>
      shield(ctx, 1e6, () => opened),
    );
    expect(shieldsOf(request)).toMatchObject({ running: 3, hasBegun: true });
    open();
    await Promise.all([a, b]);
    expect(shieldsOf(request)).toMatchObject({ running: 0, hasBegun: true });
  });

  test("counts a function that goes on after the end of its request", async () => {
    const scope = withCancel(background());
    const request = withLedger(scope);
    const { opened, open } = gate();
    const shielded = shield(request, 1e6, () => opened);
    scope.cancel();
    await turn();
    expect(shieldsOf(request).running).toBe(1);
    open();
    await shielded;
    expect(shieldsOf(request).running).toBe(0);
  });

  test("settles when the last function has, also by failing", async () => {
    const request = withLedger(background());
    const [first, second] = [gate(), gate()];
    const failing = shield(request, 1e6, async () => {
      await first.opened;
      throw new Error("no");
    });
    const other = shield(request, 1e6, () => second.opened);
    let isSettled = false;
    const settled = shieldsOf(request)
      .settled()
      .then(() => (isSettled = true));
    first.open();
    await expect(failing).rejects.toThrow("no");
    await flush();
    expect(isSettled).toBe(false);
    second.open();
    await Promise.all([other, settled]);
    await shieldsOf(request).settled();
  });

  test("does not count a function whose budget has passed, although it goes on", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const request = withLedger(background());
    const { opened, open } = gate();
    const deaf = shield(request, 100, () => opened);
    const settled = shieldsOf(request).settled();
    clock.advance(100);
    await settled;
    expect(shieldsOf(request)).toMatchObject({ running: 0, hasBegun: true });
    expect(ledgerOf(request)?.outliving).toMatchObject({ size: 0, abandoned: 1 });
    open();
    await deaf;
    expect(ledgerOf(request)?.outliving).toMatchObject({ size: 0, abandoned: 1 });
    expect(clock.timers).toBe(0);
  });

  test("counts neither the shields of another request nor the cleanup of an adapter", async () => {
    const server = withLedger(background());
    const [request, other] = [withLedger(server), withLedger(server)];
    const { opened, open } = gate();
    const cleanup = cleanUp(request, 1e6, () => opened);
    const shielded = shield(other, 1e6, () => opened);
    expect(shieldsOf(request)).toMatchObject({ running: 0, hasBegun: false });
    expect(shieldsOf(other).running).toBe(1);
    expect(shieldsOf(server).running).toBe(1);
    open();
    await Promise.all([cleanup, shielded]);
    expect(shieldsOf(background())).toMatchObject({ running: 0, hasBegun: false });
    await shieldsOf(background()).settled();
  });

  test("a ledger may lie within that of a server whose values it does not have", async () => {
    const server = withLedger(background());
    const request = openLedger(withLedger(background()), server);
    const { opened, open } = gate();
    const shielded = shield(request, 1e6, () => opened);
    expect(shieldsOf(server).running).toBe(1);
    open();
    await shielded;
    expect(shieldsOf(server).running).toBe(0);
  });
});
