/** What the generator of a stream promises to its loop and to its adapter. */
import { describe, expect, test, vi } from "vitest";
import { background, withCancel, withTimeout, type Context } from "../index.ts";
import { flush } from "../../test/support.ts";
import { Deferred, rejection, watchReports } from "../../test/support/reports.ts";
import { rowsOf, type Rows } from "./rows.ts";

watchReports();

/** A result whose batches are given. `events` lists what the generator did. */
function result(batches: readonly (readonly number[] | Error)[], closing?: () => Promise<void>) {
  const events: string[] = [];
  const left = [...batches];
  const rows: Rows<number> = {
    next() {
      events.push("next");
      const batch = left.shift();
      return batch instanceof Error ? Promise.reject(batch) : Promise.resolve(batch);
    },
    close() {
      events.push("close");
      return closing?.() ?? Promise.resolve();
    },
  };
  const state: { ctx?: Context } = {};
  const open = (ctx: Context): Promise<Rows<number>> => {
    events.push("open");
    state.ctx = ctx;
    return Promise.resolve(rows);
  };
  return { events, state, open };
}

async function read(rows: AsyncIterable<number>, each?: (row: number) => void): Promise<number[]> {
  const seen: number[] = [];
  for await (const row of rows) {
    seen.push(row);
    each?.(row);
  }
  return seen;
}

describe("a loop over rows", () => {
  test("opens the result at its first row, gets every row in order, and closes the result", async () => {
    const { events, state, open } = result([[1, 2], [], [3]]);
    const rows = rowsOf(background(), open);
    await flush();
    expect(events).toEqual([]);
    expect(await read(rows)).toEqual([1, 2, 3]);
    expect(events).toEqual(["open", "next", "next", "next", "next", "close"]);
    expect(state.ctx?.err()).toBeDefined(); // the context of `open` ends with the loop
  });

  test("asks for the next batch only when it has read all rows of this one", async () => {
    const { events, open } = result([[1, 2], [3]]);
    await read(rowsOf(background(), open), (row) => {
      expect(events.filter((event) => event === "next")).toHaveLength(row < 3 ? 1 : 2);
    });
  });

  test("does not open the result if its context is done, and throws the context's error", async () => {
    const { events, open } = result([[1]]);
    const ctx = withCancel(background());
    ctx.cancel();
    expect(await rejection(read(rowsOf(ctx, open)))).toBe(ctx.err());
    expect(events).toEqual([]);
  });

  test("throws the context's error between two rows that have arrived, and closes the result", async () => {
    const { events, open } = result([[1, 2, 3]]);
    const ctx = withCancel(background());
    const seen: number[] = [];
    const reading = read(rowsOf(ctx, open), (row) => {
      seen.push(row);
      if (row === 2) ctx.cancel();
    });
    expect(await rejection(reading)).toBe(ctx.err());
    expect(seen).toEqual([1, 2]);
    expect(events).toEqual(["open", "next", "close"]);
  });

  test("throws the error of `open`, and has nothing to close", async () => {
    const error = new Error("syntax error");
    const rows = rowsOf<number>(background(), () => Promise.reject(error));
    expect(await rejection(read(rows))).toBe(error);
  });

  test("throws the error of `next` after the rows before it, and closes the result", async () => {
    const error = new Error("division by zero");
    const { events, open } = result([[1], error]);
    const seen: number[] = [];
    expect(await rejection(read(rowsOf(background(), open), (row) => seen.push(row)))).toBe(error);
    expect(seen).toEqual([1]);
    expect(events).toEqual(["open", "next", "next", "close"]);
  });

  test("throws the error of `close`, such as that of a COMMIT, at its end and when it is left", async () => {
    const error = new Error("nothing was committed");
    const closing = (): Promise<void> => Promise.reject(error);
    expect(await rejection(read(rowsOf(background(), result([[1]], closing).open)))).toBe(error);
    const leave = async (): Promise<void> => {
      for await (const row of rowsOf(background(), result([[1]], closing).open)) if (row > 0) break;
    };
    expect(await rejection(leave())).toBe(error);
  });

  test("ends, when it is left, only after the result is closed", async () => {
    const closed = new Deferred();
    const { events, open } = result([[1, 2]], () => closed.promise);
    const order: string[] = [];
    const loop = (async () => {
      for await (const row of rowsOf(background(), open)) if (row > 0) break;
      order.push("left");
    })();
    await flush();
    expect(events).toEqual(["open", "next", "close"]);
    order.push("closed");
    closed.resolve();
    await loop;
    expect(order).toEqual(["closed", "left"]);
  });

  test("closes the result if its body throws, and throws that error", async () => {
    const { events, open } = result([[1, 2]]);
    const mine = new Error("mine");
    const reading = read(rowsOf(background(), open), () => {
      throw mine;
    });
    expect(await rejection(reading)).toBe(mine);
    expect(events).toEqual(["open", "next", "close"]);
  });

  test("leaves no registration on its context", async () => {
    vi.useFakeTimers();
    try {
      using ctx = withTimeout(background(), 10_000); // has a timer only while it is watched
      const { open } = result([[1]]);
      const watching = (streamCtx: Context): Promise<Rows<number>> => {
        void streamCtx.signal;
        expect(vi.getTimerCount()).toBe(1);
        return open(streamCtx);
      };
      expect(await read(rowsOf(ctx, watching))).toEqual([1]);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("a generator of rows that is returned", () => {
  /** Rejects with the error of the context when that ends, as an adapter does. */
  const untilDone = (ctx: Context): Promise<never> =>
    new Promise((_, reject) => ctx.signal.addEventListener("abort", () => reject(ctx.err()!)));

  test("before its first row opens nothing", async () => {
    const { events, open } = result([[1]]);
    const rows = rowsOf(background(), open);
    expect(await rows.return()).toEqual({ done: true, value: undefined });
    expect(events).toEqual([]);
  });

  test("while the result is being opened, ends the context of `open`, and reports no error", async () => {
    const rows = rowsOf<number>(background(), untilDone);
    const next = rows.next();
    expect(await rows.return()).toEqual({ done: true, value: undefined });
    expect(await next).toEqual({ done: true, value: undefined });
  });

  test.each([0, 1])(
    "while rows are being fetched after batch %i, ends the context of `open` and closes the result",
    async (before) => {
      const events: string[] = [];
      let fetchCtx!: Context;
      const rows = rowsOf<number>(background(), (ctx) => {
        fetchCtx = ctx;
        const batches = [[1]].slice(0, before);
        return Promise.resolve({
          next: () => {
            const batch = batches.shift();
            return batch === undefined ? untilDone(ctx) : Promise.resolve(batch);
          },
          close: () => Promise.resolve(void events.push("close")),
        });
      });
      for (let i = 0; i < before; i++) expect((await rows.next()).done).toBe(false);
      const next = rows.next();
      await flush();
      const returned = rows.return();
      expect(fetchCtx.err()).toBeDefined();
      expect(await returned).toEqual({ done: true, value: undefined });
      expect(await next).toEqual({ done: true, value: undefined });
      expect(events).toEqual(["close"]);
    },
  );

  test("while rows are being fetched, reports an error that the return did not cause", async () => {
    const fetched = new Deferred<readonly number[]>();
    const rows = rowsOf<number>(background(), () =>
      Promise.resolve({ next: () => fetched.promise, close: () => Promise.resolve() }),
    );
    const next = rows.next();
    next.catch(() => undefined);
    await flush();
    const returned = rows.return();
    const error = new Error("the connection was reset");
    fetched.reject(error);
    expect(await rejection(next)).toBe(error);
    await returned;
  });

  test("between two rows closes a result whose context is live, so that the result can end well", async () => {
    let atClose: unknown = "not closed";
    const { state, open } = result([[1, 2]], () => {
      atClose = state.ctx?.err();
      return Promise.resolve();
    });
    const rows = rowsOf(background(), open);
    await rows.next();
    await rows.return();
    expect(atClose).toBeUndefined();
  });

  test("while the result is being closed does not end its context", async () => {
    const closed = new Deferred();
    const { state, events, open } = result([[1]], () => closed.promise);
    const rows = rowsOf(background(), open);
    await rows.next();
    const next = rows.next();
    await flush();
    expect(events.at(-1)).toBe("close");
    const returned = rows.return();
    expect(state.ctx?.err()).toBeUndefined();
    closed.resolve();
    expect(await next).toEqual({ done: true, value: undefined });
    await returned;
  });
});

test("the error of the context is thrown while rows are being fetched, if the loop was not left", async () => {
  const ctx = withCancel(background());
  const fetched = new Deferred<readonly number[]>();
  const rows = rowsOf<number>(ctx, () =>
    Promise.resolve({ next: () => fetched.promise, close: () => Promise.resolve() }),
  );
  const next = rows.next();
  next.catch(() => undefined);
  await flush();
  ctx.cancel();
  fetched.reject(ctx.err());
  expect(await rejection(next)).toBe(ctx.err());
});
