/** Measures the question "is it canceled?" on a live context. */
import {
  afterFunc,
  background,
  key,
  withCancel,
  withTimeout,
  withValue,
  type Context,
} from "eightysix";
import { perAwaitedCheckpoint, perCheckpoint } from "../measure/checkpoints.ts";
import { perOp } from "../measure/per-op.ts";
import type { Case, Cases } from "./index.ts";

/**
 * The question goes to this many contexts in turn. With one, the compiler could move it out of the
 * loop.
 */
const MANY = 16;
const K = key<number>("layer");

/**
 * Returns a chain of `depth` cancelable contexts, each below a value, as the layers of a program
 * add them.
 */
function chain(depth: number, deadline: boolean): Context {
  let ctx: Context = background();
  for (let i = 0; i < depth; i++) {
    ctx = withValue(ctx, K, i);
    ctx = deadline ? withTimeout(ctx, 3_600_000 - i * 1_000) : withCancel(ctx);
  }
  return ctx;
}

/**
 * Measures one question. Each operation asks all contexts and counts the answers, so that the
 * compiler can drop none.
 */
async function ask<T>(make: () => T, live: (thing: T) => boolean): Promise<number> {
  const things = Array.from({ length: MANY }, make);
  const op = () => {
    let n = 0;
    for (const thing of things) if (live(thing)) n++;
    return n;
  };
  return (await perOp(op, (n) => n === MANY)) / MANY;
}

const err =
  (depth: number, { deadline = false, watched = false } = {}): Case =>
  async () => {
    const make = () => {
      const ctx = chain(depth, deadline);
      if (watched) afterFunc(ctx, () => undefined);
      return ctx;
    };
    return { value: await ask(make, (ctx) => ctx.err() === undefined) };
  };

export const cases: Cases = {
  "ours-err-1": err(1),
  "ours-err-5": err(5),
  "ours-err-50": err(50),
  "ours-err-deadline-1": err(1, { deadline: true }),
  "ours-err-deadline-5": err(5, { deadline: true }),
  "ours-err-deadline-50": err(50, { deadline: true }),
  "ours-err-watched-5": err(5, { watched: true }),
  "ours-err-deadline-watched-5": err(5, { deadline: true, watched: true }),

  // In the loop of one task with a deadline.
  "ours-checkpoint": () => perCheckpoint(chain(5, true)),
  "ours-await-checkpoint": () => perAwaitedCheckpoint(chain(5, true)),

  async aborted() {
    const make = () => new AbortController().signal;
    return { value: await ask(make, (signal) => !signal.aborted) };
  },

  /** The loop itself. No figure above can be lower. */
  async loop() {
    return {
      value: await ask(
        () => ({ live: true }),
        (thing) => thing.live,
      ),
    };
  },
};
