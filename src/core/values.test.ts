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
  test("are looked up from the inside out, through every kind of context", () => {
    let ctx: Context = withValue(background(), Id, "outer");
    for (let i = 0; i < 100; i++) ctx = withTimeout(withValue(ctx, key<number>("n"), i), 1e6);
    expect(ctx.value(Id)).toBe("outer");
    expect(withValue(ctx, Id, "inner").value(Id)).toBe("inner");
    expect(ctx.value(Id)).toBe("outer");
  });

  test("hide outer values and the default if they are undefined", () => {
    const Maybe = key<string | undefined>("maybe", { default: "default" });
    const ctx = withValue(withValue(background(), Maybe, "set"), Maybe, undefined);
    expect(ctx.value(Maybe)).toBeUndefined();
  });

  test("have the default of the key if no context sets one", () => {
    expect(background().value(Locale)).toBe("en");
    expect(withCancel(background()).value(Locale)).toBe("en");
    expect(background().value(Id)).toBeUndefined();
  });

  test("belong to a key by its identity, not by its name", () => {
    const ctx = withValue(background(), key<string>("id"), "other");
    expect(ctx.value(Id)).toBeUndefined();
  });

  test("can be read after the end, and pass through withoutCancel", () => {
    const ctx = withCancel(withValue(background(), Id, "v"));
    ctx.cancel();
    expect(ctx.value(Id)).toBe("v");
    expect(withoutCancel(ctx).value(Id)).toBe("v");
  });

  test("have the type of their key", () => {
    const ctx = background();
    expectTypeOf(ctx.value(Id)).toEqualTypeOf<string | undefined>();
    expectTypeOf(ctx.value(Locale)).toEqualTypeOf<string>();
    expectTypeOf(key<number>("n")).toEqualTypeOf<Key<number>>();
    // @ts-expect-error: the value must be what the key says
    withValue(ctx, Id, 1);
    // @ts-expect-error: a string is not a key
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
