/**
 * `afterFunc` for integrations. The callback is a method, so a registration creates no function.
 */
import type { Context } from "./context.ts";
import { scopeOf } from "./foreign.ts";
import { Callback, addCallback, unlink } from "./tree.ts";

/** A callback for the end of one context. `onDone` must not throw. */
export abstract class DoneListener extends Callback {
  /**
   * Registers this listener. `onDone` is called once, in a microtask after `ctx` is done, or in a
   * new microtask if `ctx` is done already. Call `register` only once.
   */
  protected register(ctx: Context): void {
    const scope = scopeOf(ctx);
    if (scope !== undefined) addCallback(scope, this);
  }

  /**
   * Removes this listener. If the context has ended and `onDone` is due, `onDone` is still called.
   * Does nothing if the listener is not registered.
   */
  protected unregister(): void {
    if (this.host !== undefined) unlink(this);
  }
}
