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
  test("settles as the promise does", async () => {
    const ctx = withCancel(background());
    const failure = new Error("failed");
    await expect(orDone(ctx, Promise.resolve(1))).resolves.toBe(1);
    await expect(orDone(ctx, Promise.reject(failure))).rejects.toBe(failure);
    const thenable = { then: (resolve: (x: number) => void) => void resolve(2) };
    await expect(orDone(ctx, thenable as unknown as PromiseLike<number>)).resolves.toBe(2);
  });

  test("rejects when the context is done", async () => {
    const ctx = withCancel(background());
    const waiting = orDone(ctx, never);
    ctx.cancel();
    await expect(waiting).rejects.toBe(ctx.err());
    await expect(orDone(ctx, never)).rejects.toBe(ctx.err());
  });

  test("settles as the promise does if both are ready", async () => {
    const ctx = withTimeout(background(), 0);
    await expect(orDone(ctx, Promise.resolve("ready"))).resolves.toBe("ready");
  });

  test("handles a rejection after the end, so that it is not reported", async () => {
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

  test("rejects if a thenable throws, and leaves neither a callback nor work behind", async () => {
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

  test("keeps the work in the ledger until the promise settles", async () => {
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
  /** An iterable that counts the calls of its methods. `next` decides what it yields. */
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

  test("yields what the iterable yields, and ends with it", async () => {
    async function* numbers(): AsyncGenerator<number> {
      yield 1;
      await flush();
      yield 2;
    }
    const got: number[] = [];
    for await (const n of orDone(withCancel(background()), numbers())) got.push(n);
    expect(got).toEqual([1, 2]);
  });

  test("throws the context's error if the context ends during a wait, and calls return()", async () => {
    const ctx = withCancel(background());
    const { calls, iterable } = source(() => never);
    const next = orDone(ctx, iterable).next();
    await flush();
    ctx.cancel();
    await expect(next).rejects.toBe(ctx.err());
    expect(calls).toEqual({ next: 1, return: 1 });
  });

  test("does not call next() once the context is done", async () => {
    const ctx = withCancel(background());
    const { calls, iterable } = source(one);
    const reading = async (): Promise<void> => {
      for await (const _ of orDone(ctx, iterable)) if (calls.next === 3) ctx.cancel();
    };
    await expect(reading()).rejects.toThrow("context canceled");
    expect(calls).toEqual({ next: 3, return: 1 });
  });

  test("calls return() without a next() if the context is done already, so that a stream is closed", async () => {
    const ctx = withCancel(background());
    ctx.cancel();
    const { calls, iterable } = source(one);
    await expect(orDone(ctx, iterable).next()).rejects.toBe(ctx.err());
    expect(calls).toEqual({ next: 0, return: 1 });
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
    "passes on the error if next() %s, and does not call return(), as in a for-await loop",
    async (_how, next) => {
      const { calls, iterable } = source(next);
      await expect(orDone(background(), iterable).next()).rejects.toThrow("next");
      expect(calls).toEqual({ next: 1, return: 0 });
    },
  );

  test("calls return() if the loop is left, and waits for it until the context is done", async () => {
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

  test("throws the context's error if return() throws after the end", async () => {
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

test("rejects if next() of the source returns no object, as a for-await loop does", async () => {
  const items = { [Symbol.asyncIterator]: () => ({ next: async () => 5 as never }) };
  await expect(orDone(background(), items).next()).rejects.toThrow(
    new TypeError(
      "orDone got number 5 from the next() of its iterator; return an object { done, value }",
    ),
  );
});
