/** Measures a function that is called for each item of a list, ten calls at a time. */
import { background, map, withCancel } from "eightysix";
import type { Cases } from "../../cases/index.ts";
import { numbers, perCall, work } from "../measure.ts";

const items = numbers(1_000);
const limit = 10;
const sum = items.reduce((a, b) => a + b, 0);
const isRight = (total: number): boolean => total === sum;

async function sumOf(results: AsyncIterable<number>): Promise<number> {
  let total = 0;
  for await (const result of results) total += result;
  return total;
}

export const cases: Cases = {
  async ours() {
    const ctx = withCancel(background());
    return perCall(() => sumOf(map(ctx, items, (_, i) => work(i), { limit })), isRight);
  },

  async "ours-unordered"() {
    const ctx = withCancel(background());
    const options = { limit, ordered: false };
    return perCall(() => sumOf(map(ctx, items, (_, i) => work(i), options)), isRight);
  },

  async "p-map-iterable"() {
    const { pMapIterable } = await import("p-map");
    return perCall(() => sumOf(pMapIterable(items, work, { concurrency: limit })), isRight);
  },

  /** Returns an array, so nothing waits for the reader of the results. */
  async "p-map"() {
    const { default: pMap } = await import("p-map");
    return perCall(async () => {
      const results = await pMap(items, work, { concurrency: limit });
      return results.reduce((a, b) => a + b, 0);
    }, isRight);
  },

  async effect() {
    const { Effect, Stream } = await import("effect");
    const results = Stream.fromIterable(items).pipe(
      Stream.mapEffect((i) => Effect.promise(() => work(i)), { concurrency: limit }),
      Stream.runFold(
        () => 0,
        (a: number, b: number) => a + b,
      ),
    );
    return perCall(() => Effect.runPromise(results), isRight);
  },

  /** Returns an array. */
  async "effect-for-each"() {
    const { Effect } = await import("effect");
    const results = Effect.forEach(items, (i) => Effect.promise(() => work(i)), {
      concurrency: limit,
    });
    return perCall(async () => {
      const all = await Effect.runPromise(results);
      return all.reduce((a, b) => a + b, 0);
    }, isRight);
  },
};
