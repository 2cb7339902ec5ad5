import { expect, test } from "vitest";
import { background, withCancel, type Context } from "../index.ts";
import { DoneListener } from "./done-listener.ts";
import { isWatched } from "./tree.ts";
import { scopeOf } from "./foreign.ts";

class Counted extends DoneListener {
  runs = 0;
  constructor(ctx: Context) {
    super();
    this.register(ctx);
  }
  onDone(): void {
    this.runs++;
  }
  takeBack(): void {
    this.unregister();
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("a DoneListener is called once, in a microtask after the context is done", async () => {
  const ctx = withCancel(background());
  const before = new Counted(ctx);
  ctx.cancel();
  const after = new Counted(ctx);
  expect([before.runs, after.runs]).toEqual([0, 0]);
  await turn();
  ctx.cancel();
  await turn();
  expect([before.runs, after.runs]).toEqual([1, 1]);
});

test("a DoneListener that is removed is not called, and its context is unwatched", async () => {
  const ctx = withCancel(background());
  const one = new Counted(ctx);
  one.takeBack();
  one.takeBack();
  expect(isWatched(scopeOf(ctx)!)).toBe(false);
  ctx.cancel();
  await turn();
  expect(one.runs).toBe(0);
});

test("a DoneListener may be registered on a context that never ends, and removed too late", async () => {
  new Counted(background()).takeBack();
  const ctx = withCancel(background());
  const one = new Counted(ctx);
  ctx.cancel();
  one.takeBack();
  await turn();
  expect(one.runs).toBe(1);
});
