import { afterEach, describe, expect, test, vi } from "vitest";
import { background, withCancel } from "../../index.ts";
import { EngineThreads, threadsFrom } from "./threads.ts";

/** Returns whether a promise has settled by the next turn of the event loop. */
async function hasSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = (): void => void (settled = true);
  promise.then(note, note);
  await new Promise((resolve) => setImmediate(resolve));
  return settled;
}

describe("the threads of an engine", () => {
  test("are taken by statements up to the last, which is for an open transaction", async () => {
    const threads = new EngineThreads(3);
    const [give] = [await threads.take(background()), await threads.take(background())];
    const third = threads.take(background());
    expect(await hasSettled(third)).toBe(false);
    const giveLast = await threads.takeLast(background());
    const afterLast = threads.takeLast(background());
    expect(await hasSettled(afterLast)).toBe(false);
    give();
    expect(await hasSettled(afterLast)).toBe(true);
    expect(await hasSettled(third)).toBe(false);
    giveLast();
    expect(await hasSettled(third)).toBe(true);
  });

  test("serve one statement at a time if there is only one thread", async () => {
    const threads = new EngineThreads(1);
    const give = await threads.take(background());
    const next = threads.take(background());
    const inTransaction = threads.takeLast(background());
    expect(await hasSettled(next)).toBe(false);
    expect(await hasSettled(inTransaction)).toBe(false);
    give();
    (await inTransaction)();
    (await next)();
  });

  test.each(["take", "takeLast"] as const)(
    "a statement that waits in %s leaves as soon as its context ends, and holds none",
    async (method) => {
      const threads = new EngineThreads(2);
      const give = await threads.take(background());
      const giveLast = await threads.takeLast(background());
      using ctx = withCancel(background());
      const waiting = threads[method](ctx);
      ctx.cancel();
      await expect(waiting).rejects.toBe(ctx.err());
      give();
      giveLast();
      const again = await threads.take(background());
      expect(await hasSettled(threads.takeLast(background()))).toBe(true);
      again();
    },
  );

  test("a statement that leaves while the last thread is in use holds none of the others", async () => {
    const threads = new EngineThreads(2);
    const inTransaction = [
      await threads.takeLast(background()),
      await threads.takeLast(background()),
    ];
    using ctx = withCancel(background());
    const waiting = threads.take(ctx);
    expect(await hasSettled(waiting)).toBe(false);
    ctx.cancel();
    await expect(waiting).rejects.toBe(ctx.err());
    for (const give of inTransaction) give();
    expect(await hasSettled(threads.take(background()))).toBe(true);
  });

  test("a thread that is given back twice is given back once", async () => {
    const threads = new EngineThreads(2);
    const give = await threads.take(background());
    give();
    give();
    await threads.take(background());
    expect(await hasSettled(threads.take(background()))).toBe(false);
  });
});

describe("threadsFrom", () => {
  afterEach(() => void vi.unstubAllEnvs());

  test.each([
    ["8", 8],
    ["", 4],
    ["0", 4],
    ["many", 4],
    [undefined, 4],
  ])("reads the variable %j as %j threads", (value, expected) => {
    vi.stubEnv("TEST_THREADS", value);
    expect(threadsFrom("TEST_THREADS", 4)).toBe(expected);
  });
});
