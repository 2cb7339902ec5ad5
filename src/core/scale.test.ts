/** Very deep and very wide trees: no function recurses or takes quadratic time. */
import { expect, test } from "vitest";
import { flush, secondCopy } from "../../test/support.ts";
import type { Context } from "../index.ts";

// Bundled, because the test runner's handling of imports would take most of the time.
const copy = await secondCopy();
const { afterFunc, background, isCanceled, key, merge, withCancel, withTimeout, withValue } = copy;

const MANY = 1_000_000;
const K = key<number>("k");

function chain(root: Context): Context {
  let ctx = root;
  for (let i = 0; i < MANY; i++) {
    ctx = i % 1000 === 0 ? withTimeout(withValue(ctx, K, i), 1e9 - i) : withCancel(ctx);
  }
  return ctx;
}

// The tests take a second. The limit is for a busy machine.
const SLOW = 60_000;

test(
  "a chain of a million contexts can be derived, asked, watched, printed and canceled",
  { timeout: SLOW },
  async () => {
    const root = withCancel(background());
    const leaf = chain(root);
    const other = withCancel(leaf);
    expect(leaf.err()).toBeUndefined();
    expect(leaf.value(K)).toBe(MANY - 1000);
    expect(leaf.deadline()).toBeDefined();
    expect(String(leaf).length).toBeLessThan(5_000);
    let told: unknown;
    afterFunc(leaf, (err) => (told = err));
    void leaf.signal;
    root.cancel();
    expect(leaf.signal.reason).toBe(root.err());
    expect(other.err()).toBe(root.err());
    await flush();
    expect(told).toBe(root.err());
  },
);

test(
  "the innermost of a million unwatched contexts finds the end of the outermost",
  { timeout: SLOW },
  () => {
    const root = withCancel(background());
    const leaf = chain(root);
    root.cancel();
    expect(leaf.err()).toBe(root.err());
    expect(leaf.signal.aborted).toBe(true);
  },
);

test(
  "a parent can have a million watched children, of which many are unwatched again",
  { timeout: SLOW },
  async () => {
    const root = withCancel(background());
    let told = 0;
    const count = (): number => told++;
    for (let i = 0; i < MANY; i++) {
      const ctx = withCancel(root);
      if (i % 4 === 3) continue;
      const stop = afterFunc(ctx, count);
      if (i % 4 === 1) stop();
      if (i % 4 === 2) ctx.cancel();
    }
    root.cancel();
    await flush();
    expect(told).toBe(MANY / 2);
  },
);

test("a long chain of merges ends from its source", () => {
  const root = withCancel(background());
  let ctx: Context = root;
  for (let i = 0; i < 20_000; i++) ctx = merge(background(), ctx);
  withCancel(withCancel(background())).cancel(); // another end, so that the chain is asked again
  expect(ctx.err()).toBeUndefined();
  root.cancel();
  expect(isCanceled(ctx.err())).toBe(true);
  expect(ctx.err()).toBe(root.err());
});
