import { expect, expectTypeOf, test } from "vitest";
import { background, sleep, withCancel } from "../index.ts";
import { currentFrame, isWithin, runWithoutContext, runWithContext } from "./current-context.ts";

const ctxNow = () => currentFrame()?.ctx;

test("a context is in force within run, after awaits too, and nowhere else", async () => {
  const a = withCancel(background());
  const b = withCancel(background());
  await Promise.all(
    [a, b].map((ctx) =>
      runWithContext(ctx, async () => {
        await sleep(background(), 1);
        expect(ctxNow()).toBe(ctx);
        await runWithContext(a, async () => {
          await sleep(background(), 1);
          expect(ctxNow()).toBe(a);
        });
        expect(ctxNow()).toBe(ctx);
        await runWithoutContext(async () => {
          await sleep(background(), 1);
          expect(ctxNow()).toBe(undefined);
        });
      }),
    ),
  );
  expect(ctxNow()).toBe(undefined);
});

test("a run is within those around it, whatever their contexts are", () => {
  const ctx = background();
  runWithContext(ctx, () => {
    const outer = currentFrame()!;
    runWithContext(ctx, () => expect(isWithin(currentFrame(), outer)).toBe(true));
    runWithoutContext(() => expect(isWithin(currentFrame(), outer)).toBe(false));
    expect(isWithin(outer, outer)).toBe(true);
  });
  const outer = runWithContext(ctx, () => currentFrame()!);
  runWithContext(ctx, () => expect(isWithin(currentFrame(), outer)).toBe(false));
});

test("what is lazy begins inside, and only once", async () => {
  const ctx = withCancel(background());
  let begun = 0;
  const lazy: PromiseLike<unknown> = {
    then(resolve: (value: unknown) => never) {
      begun++;
      return Promise.resolve(ctxNow()).then(resolve);
    },
  };
  expect(await runWithContext(ctx, () => lazy)).toBe(ctx);
  expect(await runWithContext(ctx, () => runWithoutContext(() => lazy))).toBe(undefined);
  expect(begun).toBe(2);
});

test("what is thrown, rejected or returned is passed on", async () => {
  const error = new Error("no");
  expect(() =>
    runWithContext(background(), () => {
      throw error;
    }),
  ).toThrow(error);
  await expect(runWithContext(background(), () => Promise.reject(error))).rejects.toBe(error);
  expectTypeOf(runWithContext(background(), () => "x")).toEqualTypeOf<string>();
  expect(runWithoutContext(() => "x")).toBe("x");
});
