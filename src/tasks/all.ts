import { checkContext } from "../core/check-context.ts";
import { checkFunction, checkOptions } from "../core/check.ts";
import type { Context } from "../core/context.ts";
import { withCancel } from "../core/derive.ts";
import { finish } from "../core/handle.ts";
import { show } from "../core/show.ts";

/** Work under a context: takes it first, and ends when it does. */
export type Task<T> = (ctx: Context) => T | PromiseLike<T>;

export interface AllOptions {
  /** The most tasks that run at once; the others start in order as places become free. */
  limit?: number;
}

/**
 * Runs the tasks together and returns their results in order. The first failure cancels the
 * others, with itself as the cause, *and waits for them* before it is thrown: nothing that was
 * started outlives the call. Tasks that have not started by then never do. When `ctx` ends, so do
 * the tasks; if none of them minds, their results are returned.
 *
 *     const [user, orders] = await all(ctx, [(ctx) => findUser(ctx, id), (ctx) => listOrders(ctx, id)]);
 */
export async function all<const T extends readonly Task<unknown>[]>(
  ctx: Context,
  tasks: T,
  options?: AllOptions,
): Promise<{ -readonly [I in keyof T]: T[I] extends Task<infer R> ? Awaited<R> : never }> {
  checkContext(ctx, "all");
  checkOptions(options, "all", ["limit"]);
  const { limit = Infinity } = options ?? {};
  if (!Array.isArray(tasks))
    throw new TypeError(
      `all takes an array of functions, got ${show(tasks)}; pass [(ctx) => …, …]`,
    );
  for (const task of tasks) checkFunction(task, "all", "tasks that are yet to start: (ctx) => …");
  if (!(limit >= 1))
    throw new RangeError(
      `all takes a limit of at least 1, got ${show(limit)}; leave it out for none`,
    );

  const group = withCancel(ctx);
  const results: unknown[] = new Array(tasks.length);
  let failed = false;
  let failure: unknown;
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < tasks.length && !failed) {
      const index = next++;
      try {
        // A task that has not begun when the group ends does not begin.
        const err = group.err();
        if (err !== undefined) throw err;
        results[index] = await (tasks[index] as Task<unknown>)(group);
      } catch (error) {
        if (failed) return;
        failed = true;
        failure = error;
        group.cancel(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, tasks.length) }, lane));
  finish(group);
  if (failed) throw failure;
  return results as never;
}
