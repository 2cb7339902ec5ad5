import { afterFunc, type Stop } from "../core/after-func.ts";
import type { Context } from "../core/context.ts";
import { startWork } from "../work/ledger.ts";

/**
 * Waits for a promise until `ctx` is done, and then rejects with `ctx.err()`. If the promise has
 * settled by then, its result counts. What the promise stands for continues, and is in the ledger as
 * work of this kind until it settles.
 */
export function waitFor<T>(ctx: Context, promise: PromiseLike<T>, kind: string): Promise<T> {
  const work = startWork(ctx, kind);
  return new Promise((resolve, reject) => {
    // The `then` of a thenable that is not a promise can throw or call back at once.
    const settling = Promise.resolve(promise);
    let stop: Stop | undefined = undefined; // remains so if a foreign context cannot be watched
    const onSettled = (): void => {
      stop?.();
      work.end();
      resolve(settling);
    };
    // Registered before `afterFunc`, so that the result counts if both are ready.
    settling.then(onSettled, onSettled);
    stop = afterFunc(ctx, reject);
  });
}
