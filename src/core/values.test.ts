import { describe, expect, expectTypeOf, test } from "vitest";
import {
  background,
  key,
  withCancel,
  withoutCancel,
  withTimeout,
  withValue,
  type CancelableContext,
  type Context,
  type Key,
} from "../index.ts";

const Id = key<string>("id");
const Locale = key<string>("locale", { default: "en" });

describe("values", () => {
  test("the nearest one wins, through every layer", () => {
    let ctx: Context = withValue(background(), Id, "outer");
    for (let i = 0; i < 100; i++) ctx = withTimeout(withValue(ctx, key<number>("n"), i), 1e6);
    expect(ctx.value(Id)).toBe("outer");
    expect(withValue(ctx, Id, "inner").value(Id)).toBe("inner");
    expect(ctx.value(Id)).toBe("outer");
  });

  test("undefined shadows an outer value, and a default too", () => {
    const Maybe = key<string | undefined>("maybe", { default: "default" });
    const ctx = withValue(withValue(background(), Maybe, "set"), Maybe, undefined);
    expect(ctx.value(Maybe)).toBeUndefined();
  });

  test("a default is given where nothing was set", () => {
    expect(background().value(Locale)).toBe("en");
    expect(withCancel(background()).value(Locale)).toBe("en");
    expect(background().value(Id)).toBeUndefined();
  });

  test("keys are compared by identity, not by name", () => {
    const ctx = withValue(background(), key<string>("id"), "other");
    expect(ctx.value(Id)).toBeUndefined();
  });

  test("a value outlives the end, and passes withoutCancel", () => {
    const ctx = withCancel(withValue(background(), Id, "v"));
    ctx.cancel();
    expect(ctx.value(Id)).toBe("v");
    expect(withoutCancel(ctx).value(Id)).toBe("v");
  });

  test("is typed by its key", () => {
    const ctx = background();
    expectTypeOf(ctx.value(Id)).toEqualTypeOf<string | undefined>();
    expectTypeOf(ctx.value(Locale)).toEqualTypeOf<string>();
    expectTypeOf(key<number>("n")).toEqualTypeOf<Key<number>>();
    // @ts-expect-error: the value must be what the key says
    withValue(ctx, Id, 1);
    // @ts-expect-error: a string is no key
    expect(() => withValue(ctx, "id", "v")).toThrow(TypeError);
  });

  test("a callee that is handed a Context cannot cancel it", () => {
    expectTypeOf(withCancel(background())).toEqualTypeOf<CancelableContext>();
    expectTypeOf<CancelableContext>().toExtend<Context>();
    expectTypeOf<CancelableContext>().toExtend<Disposable>();
    expectTypeOf<Context>().not.toHaveProperty("cancel");
    expectTypeOf(withValue(withCancel(background()), Id, "")).toEqualTypeOf<Context>();
  });
});
