/**
 * Measures the lookup of a value through layers. Each layer is a `withValue` and a `withCancel`.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { background, key, withCancel, withValue, type Context } from "eightysix";
import { perOp } from "../measure/per-op.ts";
import type { Case, Cases } from "./index.ts";

/**
 * The lookup goes to this many contexts in turn, and the results are summed, so that the compiler
 * can neither move nor drop a lookup. They are few enough to stay in the first-level cache, where
 * the context of a running request is.
 */
const MANY = 4;
const Wanted = key<number>("wanted");

function layers(depth: number, n: number): Context {
  let ctx = withValue(background(), Wanted, n);
  // eslint-disable-next-line eightysix/typed-keys -- values that only stand in the way
  for (let i = 1; i < depth; i++) ctx = withValue(withCancel(ctx), key<number>(`other-${i}`), i);
  return ctx;
}

const lookUp =
  (depth: number): Case =>
  async () => {
    const contexts = Array.from({ length: MANY }, (_, n) => layers(depth, n));
    const op = () => {
      let sum = 0;
      for (const ctx of contexts) sum += ctx.value(Wanted) ?? Number.NaN;
      return sum;
    };
    return { value: (await perOp(op, (sum) => sum === (MANY * (MANY - 1)) / 2)) / MANY };
  };

export const cases: Cases = {
  "ours-1": lookUp(1),
  "ours-10": lookUp(10),
  "ours-50": lookUp(50),
  "ours-100": lookUp(100),

  async storage() {
    const storage = new AsyncLocalStorage<Map<string, number>>();
    const op = () => {
      let sum = 0;
      for (let i = 0; i < MANY; i++) sum += storage.getStore()?.get("wanted") ?? Number.NaN;
      return sum;
    };
    const value = await storage.run(new Map([["wanted", 1]]), () =>
      perOp(op, (sum) => sum === MANY),
    );
    return { value: value / MANY };
  },
};
