/** Where eightysix/current keeps the current context, for code that must not load `node:async_hooks`. */
import { canEnd } from "../core/context-state.ts";
import type { Context } from "../core/context.ts";

/**
 * The property of the global object that holds the AsyncLocalStorage, so that two copies of the
 * package share the current context.
 */
export const CURRENT = Symbol.for("eightysix.current.1");

/**
 * The part of a frame of eightysix/current that is used. Reading `ctx` may derive a context, for the
 * current context of a request follows what its handlers see.
 */
export interface CurrentFrame {
  readonly ctx: Context;
}

interface Holder {
  [CURRENT]?: { getStore(): CurrentFrame | undefined };
}

/** Returns the innermost frame around this call, if there is one. */
export function lookUpFrame(): CurrentFrame | undefined {
  return (globalThis as Holder)[CURRENT]?.getStore();
}

/** Returns the current context if there is one that is live and can end. */
export function liveContextOf(frame: CurrentFrame): Context | undefined {
  const { ctx } = frame;
  return canEnd(ctx) && ctx.err() === undefined ? ctx : undefined;
}
