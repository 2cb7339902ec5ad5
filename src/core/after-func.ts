import { checkContext } from "./check-context.ts";
import { checkFunction } from "./check.ts";
import type { Context } from "./context.ts";
import type { ContextError } from "./errors.ts";
import { scopeOf } from "./foreign.ts";
import { reportUnhandled } from "./report-unhandled.ts";
import { Callback, endOf, addCallback, unlink, type Scope } from "./tree.ts";

/** The function that `afterFunc` returns. Call it to remove the callback. */
export interface Stop {
  /**
   * Removes the callback. Returns true only if this call prevented the callback from running.
   * Returns false on every later call, and once the context is done. It checks the deadline against
   * the clock.
   *
   * Does not wait for a callback that is running. To do that, `await stop.finished`.
   */
  (): boolean;
  /**
   * Resolves when the callback and the promise that it returned have finished, or when the callback
   * will never run. Never rejects. An adapter waits for it before it returns a connection to its
   * pool.
   */
  readonly finished: Promise<void>;
}

class AfterFunc extends Callback {
  readonly scope: Scope | undefined;
  #fn: ((err: ContextError) => unknown) | undefined;
  #isFinished = false;
  #resolve: (() => void) | undefined;
  #finished: Promise<void> | undefined;

  constructor(scope: Scope | undefined, fn: (err: ContextError) => unknown) {
    super();
    this.scope = scope;
    this.#fn = fn;
  }

  onDone(): void {
    const fn = this.#fn;
    if (fn === undefined || this.end === undefined) return;
    this.#fn = undefined;
    try {
      const result = fn(this.end.error) as { then?: unknown } | null | undefined;
      if (typeof result?.then === "function") {
        // `finally` passes a rejection on, so that it is reported as unhandled.
        void Promise.resolve(result).finally(() => {
          this.#finish();
        });
        return;
      }
    } catch (error) {
      reportUnhandled(error);
    }
    this.#finish();
  }

  stop(): boolean {
    if (this.#fn === undefined) return false;
    if (this.scope !== undefined) {
      if (this.end !== undefined || endOf(this.scope) !== undefined) return false;
      unlink(this);
    }
    this.#fn = undefined;
    this.#finish();
    return true;
  }

  get finished(): Promise<void> {
    this.#finished ??= this.#isFinished
      ? Promise.resolve()
      : new Promise((resolve) => {
          this.#resolve = resolve;
        });
    return this.#finished;
  }

  #finish(): void {
    this.#isFinished = true;
    this.#resolve?.();
  }
}

// The prototype has the getter, because a getter on each function costs ten times the registration.
const CALLBACK = Symbol("callback");
const stopPrototype = Object.create(Function.prototype, {
  finished: {
    get(this: { [CALLBACK]: AfterFunc }) {
      return this[CALLBACK].finished;
    },
  },
}) as object;

/**
 * Calls `fn` once with `ctx.err()`, in a microtask after `ctx` and all its children are done. If
 * `ctx` is done already, calls `fn` in a new microtask. Callbacks run in the order of registration.
 *
 * If `fn` throws or rejects, the error is reported as an unhandled rejection. The error reaches
 * neither the code that canceled nor other callbacks.
 *
 * Watches `ctx` until `ctx` is done or the returned function is called. The caller must call that
 * function when its work has finished.
 *
 * @example
 * const stop = afterFunc(ctx, () => socket.destroy());
 * try {
 *   return await request(socket);
 * } finally {
 *   stop();
 * }
 */
export function afterFunc(ctx: Context, fn: (err: ContextError) => unknown): Stop {
  checkContext(ctx, "afterFunc");
  checkFunction(fn, "afterFunc", "a function to call when ctx is done: (err) => …");
  const scope = scopeOf(ctx);
  const callback = new AfterFunc(scope, fn);
  if (scope !== undefined) addCallback(scope, callback);
  const stop = (() => callback.stop()) as Stop & { [CALLBACK]: AfterFunc };
  Object.setPrototypeOf(stop, stopPrototype);
  stop[CALLBACK] = callback;
  return stop;
}
