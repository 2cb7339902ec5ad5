/** `afterFunc`: run something when a context is done. */
import { checkContext } from "./check-context.ts";
import { checkFunction } from "./check.ts";
import type { Context } from "./context.ts";
import type { ContextError } from "./errors.ts";
import { scopeOf } from "./foreign.ts";
import { reportUnhandled } from "./report.ts";
import { Callback, endOf, addCallback, unlink, type Scope } from "./tree.ts";

/** Takes an `afterFunc` back. */
export interface Stop {
  /**
   * True only if this call prevented the function from running. False once the context is done
   * (it looks at the clock), and on every later call. Does not wait: for that there is `finished`.
   */
  (): boolean;
  /**
   * Resolves when the function is over, the promise that it returned included, or will never run.
   * Never rejects. For drivers, who must know it before a connection goes back to its pool.
   */
  readonly finished: Promise<void>;
}

class AfterFunc extends Callback {
  readonly scope: Scope | undefined;
  #fn: ((err: ContextError) => unknown) | undefined;
  #over = false;
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
        // A rejection goes on, to be reported as unhandled; a handler for it would swallow it.
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
    this.#finished ??= this.#over
      ? Promise.resolve()
      : new Promise((resolve) => {
          this.#resolve = resolve;
        });
    return this.#finished;
  }

  #finish(): void {
    this.#over = true;
    this.#resolve?.();
  }
}

// A getter defined on each function would cost ten times as much as the registration.
const CALLBACK = Symbol("callback");
const stopPrototype = Object.create(Function.prototype, {
  finished: {
    get(this: { [CALLBACK]: AfterFunc }) {
      return this[CALLBACK].finished;
    },
  },
}) as object;

/**
 * Calls `fn` with `ctx.err()` once, in a microtask after `ctx` and everything below it is done;
 * soon, if it is done already. Callbacks run in the order of registration. What `fn` throws or
 * rejects with is reported as an unhandled rejection and reaches neither the canceler nor other
 * callbacks. Watches `ctx` until it is done or the returned function is called; calling that when
 * the work is over is the caller's duty.
 */
export function afterFunc(ctx: Context, fn: (err: ContextError) => unknown): Stop {
  checkContext(ctx, "afterFunc");
  checkFunction(fn, "afterFunc", "what to run when ctx is done: (err) => …");
  const scope = scopeOf(ctx);
  const callback = new AfterFunc(scope, fn);
  if (scope !== undefined) addCallback(scope, callback);
  const stop = (() => callback.stop()) as Stop & { [CALLBACK]: AfterFunc };
  Object.setPrototypeOf(stop, stopPrototype);
  stop[CALLBACK] = callback;
  return stop;
}
