/** Steps that must not be stopped once they have begun, such as COMMIT and ROLLBACK. */
import {
  afterFunc,
  isContextError,
  sleep,
  withCancel,
  withoutCancel,
  type Context,
} from "../index.ts";
import type { Operation } from "./operation.ts";
import { runStoppable, STOP_TIMEOUT } from "./stoppable.ts";

/** An operation that is never asked to stop. Its methods are those of `Operation`. */
export type UnstoppableOperation<T> = Pick<
  Operation<T>,
  "kind" | "what" | "start" | "destroy" | "release"
>;

/**
 * Runs an operation that the end of `ctx` does not stop, and that starts even if `ctx` is done.
 * From the moment at which `ctx` is done, the other side has `stopTimeout` milliseconds to answer.
 * After that the resource is destroyed.
 *
 * Rejects with `ctx.err()` if the resource was destroyed, or if the operation fails without an
 * answer after `ctx` is done. Settles as the operation does in every other case.
 */
export async function runUnstoppable<T>(
  ctx: Context,
  operation: UnstoppableOperation<T>,
  stopTimeout = STOP_TIMEOUT,
): Promise<T> {
  const detached = withCancel(withoutCancel(ctx));
  const unregister = afterFunc(ctx, (err) => detached.cancel(err));
  let isAnswered = true;
  try {
    return await runStoppable<T>(
      detached,
      {
        kind: operation.kind,
        what: operation.what,
        start: (resolver) =>
          operation.start({
            resolve: (value) => resolver.resolve(value),
            reject(error, options) {
              isAnswered = options?.answered ?? true;
              resolver.reject(error, options);
            },
          }),
        // A stop only waits. A canceled ROLLBACK would roll nothing back.
        stop: (signal) =>
          new Promise((resolve) => {
            signal.addEventListener("abort", () => resolve("proven"));
          }),
        isStop: () => false,
        destroy: (reason) => operation.destroy(reason),
        release: (end) => operation.release?.(end),
      },
      stopTimeout,
    );
  } catch (error) {
    const err = ctx.err();
    throw err !== undefined && (isContextError(error) || !isAnswered) ? err : error;
  } finally {
    unregister();
    detached.cancel();
  }
}

/**
 * Runs `fn` under a context that ends `stopTimeout` milliseconds after `ctx`, for steps that consist
 * of stoppable operations. Rejects with `ctx.err()` if that time has passed.
 *
 * `shield` limits the whole step. Here the time starts when `ctx` ends, because `fn` may wait behind
 * slow statements until then.
 */
export async function runDetached<T>(
  ctx: Context,
  fn: (ctx: Context) => PromiseLike<T>,
  stopTimeout = STOP_TIMEOUT,
): Promise<T> {
  const detached = withCancel(withoutCancel(ctx));
  const unregister = afterFunc(ctx, (err) => {
    sleep(detached, stopTimeout).then(
      () => detached.cancel(err),
      () => undefined,
    );
  });
  try {
    return await fn(detached);
  } catch (error) {
    throw (isContextError(error) ? ctx.err() : undefined) ?? error;
  } finally {
    unregister();
    detached.cancel();
  }
}
