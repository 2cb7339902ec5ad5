import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import {
  background,
  CanceledError,
  cause,
  ContextError,
  DeadlineExceededError,
  isCanceled,
  isContextError,
  isDeadlineExceeded,
  withCancel,
  withTimeout,
} from "../index.ts";
import { toWire } from "../wire/index.ts";

describe("context errors", () => {
  test("have the messages of Go and the names of the platform", () => {
    const canceled = new CanceledError();
    const late = new DeadlineExceededError();
    expect(String(canceled)).toBe("AbortError: context canceled");
    expect(String(late)).toBe("TimeoutError: context deadline exceeded");
    expect([canceled.code, late.code]).toEqual([
      "ERR_CONTEXT_CANCELED",
      "ERR_CONTEXT_DEADLINE_EXCEEDED",
    ]);
    expect(late.timeout).toBe(true);
    expect("timeout" in canceled).toBe(false);
    for (const error of [canceled, late]) {
      expect(error).toBeInstanceOf(ContextError);
      expect(error).toBeInstanceOf(Error);
    }
  });

  test("have the cause, and a stack of one line", () => {
    const why = new Error("why");
    const ctx = withCancel(background());
    ctx.cancel(why);
    expect(ctx.err()?.cause).toBe(why);
    expect(ctx.err()?.stack).toBe("AbortError: context canceled");
    expect(withTimeout(background(), 0).err()?.stack).toBe(
      "TimeoutError: context deadline exceeded",
    );
    expect(new Error("after").stack).toContain("errors.test"); // the limit is as it was
  });

  test("read well in logs, and have no enumerable properties", () => {
    const ctx = withCancel(background());
    ctx.cancel();
    const err = ctx.err();
    expect(inspect(err)).toMatch(/^\[.*AbortError.*: context canceled\]$/);
    expect([JSON.stringify(err), Object.keys(err as Error)]).toEqual(["{}", []]);
    expect(toWire(err)).toEqual({
      name: "AbortError",
      message: "context canceled",
      code: "ERR_CONTEXT_CANCELED",
    });
  });

  // V8 clones the stack. The message, which is on the prototype, is lost.
  test.skipIf("Bun" in globalThis)("read well after structuredClone", () => {
    const ctx = withCancel(background());
    ctx.cancel();
    expect(inspect(structuredClone(ctx.err()))).toBe("[AbortError: context canceled]");
  });

  test("have no property cause if the cancellation had no cause, and cause() returns the error", () => {
    for (const nothing of [undefined, null]) {
      const ctx = withCancel(background());
      expect(cause(ctx)).toBeUndefined();
      ctx.cancel(nothing);
      expect("cause" in (ctx.err() as Error)).toBe(false);
      expect(cause(ctx)).toBe(ctx.err());
    }
  });

  test("are one object for all contexts that ended together", () => {
    const root = withCancel(background());
    const nodes = [root, withTimeout(root, 1e6), withCancel(withCancel(root))];
    root.cancel();
    expect(new Set(nodes.map((ctx) => ctx.err())).size).toBe(1);
  });

  test("are found in a chain of causes, and the first one counts", () => {
    const wrapped = new Error("query failed", {
      cause: new Error("driver", {
        cause: new CanceledError({ cause: new DeadlineExceededError() }),
      }),
    });
    expect(isContextError(wrapped)).toBe(true);
    expect(isCanceled(wrapped)).toBe(true);
    expect(isDeadlineExceeded(wrapped)).toBe(false);
  });

  test("are not found in other values, and the search neither loops nor throws", () => {
    const loop = new Error("loop") as Error & { cause?: unknown };
    loop.cause = loop;
    const hostile = new Proxy(
      {},
      {
        get: () => {
          throw new Error("no");
        },
      },
    );
    const { proxy: revoked, revoke } = Proxy.revocable({}, {});
    revoke();
    for (const x of [undefined, null, 1, "x", {}, new Error("x"), loop, hostile, revoked]) {
      expect(isContextError(x)).toBe(false);
      expect(isCanceled(x)).toBe(false);
      expect(isDeadlineExceeded(x)).toBe(false);
    }
    expect(isContextError(new DOMException("aborted", "AbortError"))).toBe(false);
  });

  test("of finished work are one object for one cause, unless a child needs the time of the end", () => {
    const done = Object.assign(new Error("done"), { finished: true });
    const ended = (cause: unknown, isTimed = false) => {
      const ctx = withCancel(background());
      const child = isTimed ? withCancel(ctx) : undefined;
      ctx.cancel(cause);
      expect(child?.err()).toBe(isTimed ? ctx.err() : undefined);
      return ctx.err();
    };
    expect(ended(done)).toBe(ended(done));
    const other = Object.assign(new Error("other"), { finished: true });
    expect([ended(other)?.cause, ended(done)?.cause]).toEqual([other, done]);
    expect(ended(done, true)).not.toBe(ended(done));
    const canceled = new Error("canceled");
    expect(ended(canceled)).not.toBe(ended(canceled));
  });
});
