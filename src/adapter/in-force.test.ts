import { expect, expectTypeOf, test } from "vitest";
import { background, sleep, withCancel } from "../index.ts";
import { inForce, isWithin, outside, run } from "./in-force.ts";

const ctxNow = () => inForce()?.ctx;

test("a context is in force within run, after awaits too, and nowhere else", async () => {
  const a = withCancel(background());
  const b = withCancel(background());
  await Promise.all(
    [a, b].map((ctx) =>
      run(ctx, async () => {
        await sleep(background(), 1);
        expect(ctxNow()).toBe(ctx);
        await run(a, async () => {
          await sleep(background(), 1);
          expect(ctxNow()).toBe(a);
        });
        expect(ctxNow()).toBe(ctx);
        await outside(async () => {
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
  run(ctx, () => {
    const outer = inForce()!;
    run(ctx, () => expect(isWithin(inForce(), outer)).toBe(true));
    outside(() => expect(isWithin(inForce(), outer)).toBe(false));
    expect(isWithin(outer, outer)).toBe(true);
  });
  const outer = run(ctx, () => inForce()!);
  run(ctx, () => expect(isWithin(inForce(), outer)).toBe(false));
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
  expect(await run(ctx, () => lazy)).toBe(ctx);
  expect(await run(ctx, () => outside(() => lazy))).toBe(undefined);
  expect(begun).toBe(2);
});

test("what is thrown, rejected or returned is passed on", async () => {
  const error = new Error("no");
  expect(() =>
    run(background(), () => {
      throw error;
    }),
  ).toThrow(error);
  await expect(run(background(), () => Promise.reject(error))).rejects.toBe(error);
  expectTypeOf(run(background(), () => "x")).toEqualTypeOf<string>();
  expect(outside(() => "x")).toBe("x");
});
