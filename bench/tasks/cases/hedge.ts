/** Measures a call that could start a second attempt, and does not: almost every call. */
import { background, hedge, withCancel } from "eightysix";
import type { Cases } from "../../cases/index.ts";
import { perCall, work } from "../measure.ts";

const AFTER = 50;
const isRight = (result: number): boolean => result === 7;

export const cases: Cases = {
  async ours() {
    const ctx = withCancel(background());
    const policy = { after: AFTER, max: 2 };
    return perCall(() => hedge(ctx, () => work(7), policy), isRight);
  },

  async "ours-share"() {
    const ctx = withCancel(background());
    const policy = { after: AFTER, max: 2, extraShare: 0.1 };
    return perCall(() => hedge(ctx, () => work(7), policy), isRight);
  },

  /** Starts a second attempt, takes the first success, and cancels the other. */
  "hand-made": () =>
    perCall(async () => {
      const controllers = [new AbortController()];
      let timer: NodeJS.Timeout | undefined;
      const second = new Promise<number>((resolve, reject) => {
        timer = setTimeout(() => {
          controllers.push(new AbortController());
          work(7).then(resolve, reject);
        }, AFTER);
      });
      try {
        return await Promise.any([work(7), second]);
      } finally {
        clearTimeout(timer);
        for (const controller of controllers) controller.abort();
      }
    }, isRight),

  async effect() {
    const { Effect } = await import("effect");
    const attempt = Effect.promise(() => work(7));
    const hedged = Effect.raceAll([attempt, Effect.delay(attempt, AFTER)]);
    return perCall(() => Effect.runPromise(hedged), isRight);
  },
};
