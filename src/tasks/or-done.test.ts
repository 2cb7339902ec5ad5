import { describe, expect, test } from "vitest";
import { flush, reported } from "../../test/support.ts";
import {
  background,
  orDone,
  stopped,
  withCancel,
  withLedger,
  withTimeout,
  working,
} from "../index.ts";

const never = new Promise<never>(() => undefined);

describe("orDone with a promise", () => {
  test("passes on what it settles with", async () => {
    const ctx = withCancel(background());
    const failure = new Error("failed");
    await expect(orDone(ctx, Promise.resolve(1))).resolves.toBe(1);
    await expect(orDone(ctx, Promise.reject(failure))).rejects.toBe(failure);
    const thenable = { then: (resolve: (x: number) => void) => void resolve(2) };
    await expect(orDone(ctx, thenable as unknown as PromiseLike<number>)).resolves.toBe(2);
  });

  test("stops waiting when the context is done", async () => {
    const ctx = withCancel(background());
    const waiting = orDone(ctx, never);
    ctx.cancel();
    await expect(waiting).rejects.toBe(ctx.err());
    await expect(orDone(ctx, never)).rejects.toBe(ctx.err());
  });

  test("a promise that has settled by then wins", async () => {
    const ctx = withTimeout(background(), 0);
    await expect(orDone(ctx, Promise.resolve("ready"))).resolves.toBe("ready");
  });

  test("a late rejection is nobody's surprise", async () => {
    const errors = await reported(async () => {
      const ctx = withCancel(background());
      let reject = (_: Error): void => undefined;
      const waiting = orDone(ctx, new Promise((_, r) => (reject = r)));
      ctx.cancel();
      await expect(waiting).rejects.toBe(ctx.err());
      reject(new Error("late"));
    });
    expect(errors).toEqual([]);
  });

  test("a thenable that throws is a failure, and leaves neither callback nor work behind", async () => {
    const ctx = withLedger(withCancel(background()));
    const failure = new Error("then");
    const thenable = {
      then: () => {
        throw failure;
      },
    };
    await expect(orDone(ctx, thenable as unknown as PromiseLike<void>)).rejects.toBe(failure);
    expect(working(ctx)).toEqual([]);
  });

  test("what is left behind stays in the ledger until it settles", async () => {
    const request = withCancel(background());
    const ctx = withLedger(request);
    let resolve = (): void => undefined;
    const waiting = orDone(ctx, new Promise<void>((r) => (resolve = r)));
    request.cancel();
    await expect(waiting).rejects.toThrow("context canceled");
    expect(working(ctx).map((work) => work.kind)).toEqual(["orDone"]);
    resolve();
    const [receipt] = await stopped(ctx);
    expect(receipt).toMatchObject({ kind: "orDone", state: "stopped", reason: "canceled" });
  });
});

describe("orDone with an async iterable", () => {
  /** Counts what is asked of it; `next` says what comes. */
  function source(next: () => Promise<IteratorResult<number>>, leave?: () => Promise<never>) {
    const calls = { next: 0, return: 0 };
    const iterable: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({
        next: () => {
          calls.next++;
          return next();
        },
        return: () => {
          calls.return++;
          return leave?.() ?? Promise.resolve({ done: true, value: undefined });
        },
      }),
    };
    return { calls, iterable };
  }
  const one = (): Promise<IteratorResult<number>> => Promise.resolve({ done: false, value: 1 });

  test("passes on what comes, and ends with it", async () => {
    async function* numbers(): AsyncGenerator<number> {
      yield 1;
      await flush();
      yield 2;
    }
    const got: number[] = [];
    for await (const n of orDone(withCancel(background()), numbers())) got.push(n);
    expect(got).toEqual([1, 2]);
  });

  test("throws the context's error when it is done while waiting, and leaves the source", async () => {
    const ctx = withCancel(background());
    const { calls, iterable } = source(() => never);
    const next = orDone(ctx, iterable).next();
    await flush();
    ctx.cancel();
    await expect(next).rejects.toBe(ctx.err());
    expect(calls).toEqual({ next: 1, return: 1 });
  });

  test("asks for nothing more once the context is done", async () => {
    const ctx = withCancel(background());
    const { calls, iterable } = source(one);
    const reading = async (): Promise<void> => {
      for await (const _ of orDone(ctx, iterable)) if (calls.next === 3) ctx.cancel();
    };
    await expect(reading()).rejects.toThrow("context canceled");
    expect(calls).toEqual({ next: 3, return: 1 });
  });

  test.each([
    ["rejects", () => Promise.reject(new Error("next"))],
    [
      "throws",
      () => {
        throw new Error("next");
      },
    ],
  ])(
    "a next() that %s is passed on, and return() is not called, as in a for-await loop",
    async (_how, next) => {
      const { calls, iterable } = source(next);
      await expect(orDone(background(), iterable).next()).rejects.toThrow("next");
      expect(calls).toEqual({ next: 1, return: 0 });
    },
  );

  test("leaving the loop leaves the source, waits for it, but not beyond the end", async () => {
    const ctx = withCancel(background());
    const { calls, iterable } = source(one, () => never);
    let over: unknown;
    const reading = async (): Promise<void> => {
      for await (const _ of orDone(ctx, iterable)) break;
    };
    void reading().catch((err: unknown) => (over = err));
    await flush();
    expect([calls.return, over]).toEqual([1, undefined]);
    ctx.cancel();
    await flush();
    expect(over).toBe(ctx.err());
  });

  test("a return() that throws after the end does not hide the context's error", async () => {
    const ctx = withCancel(background());
    const errors = await reported(async () => {
      const { iterable } = source(
        () => never,
        () => {
          throw new Error("return");
        },
      );
      const next = orDone(ctx, iterable).next();
      await flush();
      ctx.cancel();
      await expect(next).rejects.toBe(ctx.err());
    });
    expect(errors).toEqual([]);
  });
});
