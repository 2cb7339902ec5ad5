import { describe, expect, test } from "vitest";
import { flush } from "../../test/support.ts";
import {
  afterFunc,
  background,
  Semaphore,
  withCancel,
  type Context,
  type ContextError,
  type Key,
} from "../index.ts";

const counts = ({ free, waiting }: Semaphore): number[] => [free, waiting];

describe("a semaphore, under a foreign context", () => {
  /** A context of the program's own, with code that runs in `err()`, and as a listener comes and goes. */
  class Own implements Context {
    readonly #ctx = withCancel(background());
    onAsk = (): void => undefined;
    onListen = (): void => undefined;
    onForget = (): void => undefined;
    deadline = (): undefined => undefined;
    value<T, D>(key: Key<T, D>): T | D {
      return background().value(key);
    }
    get signal(): AbortSignal {
      throw new Error("the signal is not read");
    }
    err(): ContextError | undefined {
      this.onAsk();
      return this.#ctx.err();
    }
    afterFunc(fn: () => void): () => unknown {
      this.onListen();
      const stop = afterFunc(this.#ctx, fn);
      return () => {
        this.onForget();
        return stop();
      };
    }
    cancel(): void {
      this.#ctx.cancel();
    }
  }

  test("a caller gets its tokens in turn, and leaves if the context ends", async () => {
    const semaphore = new Semaphore(1);
    const [a, b, c] = [new Own(), new Own(), new Own()];
    const held = await semaphore.acquire(a);
    const leaving = semaphore.acquire(b);
    const waiting = semaphore.use(c, (ctx) => ctx.err());
    await flush();
    b.cancel();
    await expect(leaving).rejects.toBe(b.err());
    held.release();
    await expect(waiting).resolves.toBeUndefined();
    expect(counts(semaphore)).toEqual([1, 0]);
  });

  test("an error of its err() reaches its own caller only, and no token is lost", async () => {
    const semaphore = new Semaphore(1);
    const ctx = new Own();
    const held = await semaphore.acquire(background());
    const failing = semaphore.acquire(ctx);
    const next = semaphore.acquire(background());
    await flush();
    const failure = new Error("err() failed");
    ctx.onAsk = () => {
      throw failure;
    };
    expect(() => held.release()).not.toThrow();
    await expect(failing).rejects.toBe(failure);
    (await next).release();

    const granted = new Own();
    const last = await semaphore.acquire(background());
    const waiting = semaphore.acquire(granted);
    await flush();
    last.release();
    granted.onAsk = ctx.onAsk; // after the grant
    await expect(waiting).rejects.toBe(failure);
    expect(counts(semaphore)).toEqual([1, 0]);
  });

  test("a caller does not wait for a token that its code releases when the wait begins", async () => {
    const semaphore = new Semaphore(1);
    const held = semaphore.tryAcquire()!;
    const ctx = new Own();
    ctx.onListen = () => held.release();
    const permit = await semaphore.acquire(ctx);
    expect(counts(semaphore)).toEqual([0, 0]);
    permit.release();
  });

  test("no token is granted twice if its code uses the semaphore", async () => {
    const semaphore = new Semaphore(2);
    const ctx = new Own();
    const [one, two] = [semaphore.tryAcquire()!, semaphore.tryAcquire()!];
    const waiting = semaphore.acquire(ctx);
    await flush();
    ctx.onAsk = ctx.onForget = () => {
      ctx.onAsk = () => undefined;
      two.release();
    };
    one.release();
    const permit = await waiting;
    expect(semaphore.free).toBe(1);
    permit.release();
    expect(counts(semaphore)).toEqual([2, 0]);

    const [three, four] = [semaphore.tryAcquire()!, semaphore.tryAcquire()!];
    const other = new Own();
    const again = semaphore.acquire(other);
    await flush();
    other.onForget = () => four.release();
    three.release();
    await again;
    expect(semaphore.free).toBe(1);
  });
});
