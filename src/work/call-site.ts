/** In development mode: where the program called the function that starts a piece of work. */
import type { Context } from "../core/context.ts";
import { withValue } from "../core/derive.ts";
import { isDevelopment } from "../core/development.ts";
import { recordStack } from "../core/user-stack.ts";
import { key } from "../core/values.ts";
import { programStack } from "./caller.ts";

const CallSite = key<Error>("eightysix.callSite", { secret: true });

/**
 * Returns a child of `ctx` that knows the caller. Work may start behind an `await`, after which no
 * stack leads to the program. For anything that is no context, returns that.
 */
export function withCallSite(ctx: Context): Context {
  try {
    return withValue(ctx, CallSite, recordStack());
  } catch {
    return ctx;
  }
}

/** Returns where the work that starts now was called for, or `undefined` outside development mode. */
export function callSite(ctx: Context): Error | undefined {
  return isDevelopment() ? (ctx.value(CallSite) ?? recordStack()) : undefined;
}

/**
 * Returns the stack of the call to which `ctx` was handed, from its first frame in the program on, or
 * `undefined` if it is not known.
 */
export function callerStack(ctx: Context): string | undefined {
  const site = ctx.value(CallSite);
  return site && programStack(site);
}
