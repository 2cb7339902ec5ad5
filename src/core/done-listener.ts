/** `afterFunc` for integrations: what runs is a method, so that each registration costs no functions. */
import type { Context } from "./context.ts";
import { scopeOf } from "./foreign.ts";
import { Callback, addCallback, unlink } from "./tree.ts";

/** Something that waits for the end of one context, or does not any more. Must not throw in `run`. */
export abstract class DoneListener extends Callback {
  /** `run` is called once, in a microtask after `ctx` is done; soon, if it is done already. Call this once. */
  protected register(ctx: Context): void {
    const scope = scopeOf(ctx);
    if (scope !== undefined) addCallback(scope, this);
  }

  /** Takes it back, or does nothing. It may be too late: then `run` is called all the same. */
  protected unregister(): void {
    if (this.host !== undefined) unlink(this);
  }
}
