import { expect, expectTypeOf, test, vi } from "vitest";
import { background, sleep, withCancel, type Context } from "../index.ts";
import {
  currentContext,
  currentFrame,
  isWithin,
  runWithContext,
  runWithoutContext,
} from "./current-context.ts";

test("there is no current context outside runWithContext", () => {
  expect(currentContext()).toBeUndefined();
  runWithContext(background(), () => undefined);
  expect(currentContext()).toBeUndefined();
  expectTypeOf(currentContext()).toEqualTypeOf<Context | undefined>();
});

test("the current context is that of the innermost runWithContext, also after an await", async () => {
  const a = withCancel(background());
  const b = withCancel(background());
  await Promise.all(
    [a, b].map((ctx) =>
      runWithContext(ctx, async () => {
        await sleep(background(), 1);
        expect(currentContext()).toBe(ctx);
        await runWithContext(a, async () => {
          await sleep(background(), 1);
          expect(currentContext()).toBe(a);
        });
        expect(currentContext()).toBe(ctx);
      }),
    ),
  );
  expect(currentContext()).toBeUndefined();
});

test("there is no current context in runWithoutContext, also after an await", async () => {
  const ctx = withCancel(background());
  await runWithContext(ctx, async () => {
    await runWithoutContext(async () => {
      expect(currentContext()).toBeUndefined();
      await sleep(background(), 1);
      expect(currentContext()).toBeUndefined();
      runWithContext(ctx, () => expect(currentContext()).toBe(ctx));
    });
    expect(currentContext()).toBe(ctx);
  });
});

test("runWithContext makes a context current that is done, and does not end the one it was given", () => {
  const done = withCancel(background());
  done.cancel();
  expect(runWithContext(done, currentContext)).toBe(done);
  const ctx = withCancel(background());
  runWithContext(ctx, () => undefined);
  expect(ctx.err()).toBeUndefined();
});

test("two copies of the package share the current context", async () => {
  vi.resetModules();
  const there = await import("./current-context.ts");
  expect(there.currentContext).not.toBe(currentContext);
  const ctx = withCancel(background());
  runWithContext(ctx, () => {
    expect(there.currentContext()).toBe(ctx);
    there.runWithoutContext(() => expect(currentContext()).toBeUndefined());
  });
  there.runWithContext(ctx, () => expect(currentContext()).toBe(ctx));
});

test("a frame is within the frames around it, whatever their contexts are", () => {
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

test("a thenable that starts when it is awaited starts once, under the context that is current", async () => {
  const ctx = withCancel(background());
  let starts = 0;
  const lazy: PromiseLike<unknown> = {
    then(resolve: (value: unknown) => never) {
      starts++;
      return Promise.resolve(currentContext()).then(resolve);
    },
  };
  expect(await runWithContext(ctx, () => lazy)).toBe(ctx);
  expect(await runWithContext(ctx, () => runWithoutContext(() => lazy))).toBe(undefined);
  expect(starts).toBe(2);
});

test("runWithContext and runWithoutContext pass on what the function throws, rejects with or returns", async () => {
  const error = new Error("no");
  const fail = (): never => {
    throw error;
  };
  expect(() => runWithContext(background(), fail)).toThrow(error);
  expect(() => runWithoutContext(fail)).toThrow(error);
  expect(currentContext()).toBeUndefined();
  await expect(runWithContext(background(), () => Promise.reject(error))).rejects.toBe(error);
  expectTypeOf(runWithContext(background(), () => "x")).toEqualTypeOf<string>();
  expect(runWithoutContext(() => "x")).toBe("x");
});

test.each([
  [
    () => runWithContext(undefined as never, () => 1),
    "cannot create context from nil parent: runWithContext got undefined",
  ],
  [
    () => runWithContext((() => 1) as never, background() as never),
    "runWithContext needs a Context as its first argument, got a function; pass the caller's ctx",
  ],
  [
    () => runWithContext(background(), Promise.resolve() as never),
    "runWithContext takes a function, got an object of class Promise; pass a function: runWithContext(ctx, () => …)",
  ],
  [
    () => runWithoutContext(undefined as never),
    "runWithoutContext takes a function, got undefined; pass a function: runWithoutContext(() => …)",
  ],
])("a wrong argument is rejected with a message that says what to pass (%#)", (call, message) => {
  expect(call).toThrow(TypeError);
  expect(call).toThrow(message);
});
