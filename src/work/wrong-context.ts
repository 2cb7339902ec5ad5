/**
 * In development mode: a call with a context first that gets another context than that of the code
 * around it, although a current context says which one that is.
 *
 * Only two kinds of contexts are reported, because any other may be meant: `background()` and
 * `todo()`, or a child that the program has derived from them under the same current context, and the
 * context of another request that has finished. A context that has a ledger, such as those of
 * `detach` and of a flight, is not of the first kind. Nor is one of `withSignal` or `merge`.
 */
import { channel } from "../core/channels.ts";
import { checkContext } from "../core/check-context.ts";
import type { Context } from "../core/context.ts";
import { background, todo } from "../core/derive.ts";
import { isDevelopment, onDerive, trackDerived } from "../core/development.ts";
import { readProperty } from "../core/foreign-value.ts";
import { scopeOf } from "../core/foreign.ts";
import { JoinScope } from "../core/join.ts";
import type { Scope } from "../core/tree.ts";
import { warnOnce } from "../core/warn-once.ts";
import { withCallSite } from "./call-site.ts";
import { callerOf, isInFolder, siteOf, type AnyFunction } from "./caller.ts";
import { liveContextOf, lookUpFrame, type CurrentFrame } from "./current-storage.ts";
import { ledgerOf, ledgersOf } from "./ledger.ts";

const unrelated = channel("context.unrelated");
const foreign = channel("context.foreign");

const UNRELATED = {
  code: "EIGHTYSIX_UNRELATED_CONTEXT",
  advice:
    "got a context that comes from background(), although there is a current context, and so does not end with that one; pass the caller's ctx, and in a function of detach or shield its own ctx; start work that is meant to go on with detach, shield or runWithoutContext",
};
const FOREIGN = {
  code: "EIGHTYSIX_FOREIGN_CONTEXT",
  advice:
    "got the context of another request, which has finished; do not keep a ctx beyond its request, for example in a class or in a listener",
};

/** Where the program has derived scopes from `background()`. */
const strays = new WeakMap<Scope, CurrentFrame>();

onDerive((ctx) => {
  const frame = lookUpFrame();
  if (frame === undefined) return;
  const { parent } = ctx as { parent?: Context };
  if (parent === undefined || !isStray(parent, frame)) return;
  const scope = scopeOf(ctx as Context);
  // It may end with the request, through the signal or the context that it has been joined with.
  if (scope instanceof JoinScope) return;
  const isCore = (frame: string): boolean => isInFolder(frame, "core");
  if (scope !== undefined && callerOf(trackDerived, isCore) !== undefined) {
    strays.set(scope, frame);
  }
});

/**
 * Throws a TypeError unless `ctx` is a context. In development mode, reports it if it is the wrong one.
 * `name` is that of the function that was called, and `called` is the function itself.
 */
export function checkCall(ctx: unknown, name: string, called: AnyFunction): asserts ctx is Context {
  checkContext(ctx, name);
  if (isDevelopment()) reportWrongContext(ctx, name, called);
}

/**
 * Reports `ctx` if it is the wrong one, and returns a child of it that knows the caller. Call it in
 * development mode only. For anything that is no context, or a foreign one that throws, returns that.
 */
export function enterCall(ctx: Context, name: string, called: AnyFunction): Context {
  reportWrongContext(ctx, name, called);
  return withCallSite(ctx);
}

function reportWrongContext(ctx: Context, name: string, called: AnyFunction): void {
  const frame = lookUpFrame();
  if (frame === undefined) return;
  try {
    if (isStray(ctx, frame)) {
      report(unrelated, UNRELATED, { call: name, ctx, frame, called });
    } else if (isOfAnotherFinishedRequest(ctx, frame)) {
      report(foreign, FOREIGN, { call: name, ctx, frame, called });
    }
  } catch {
    // The call itself throws what a foreign context has thrown here.
  }
}

interface WrongCall {
  readonly call: string;
  readonly ctx: Context;
  readonly frame: CurrentFrame;
  readonly called: AnyFunction;
}

function report(
  channel: { publish(message: unknown): void },
  { code, advice }: { code: string; advice: string },
  { call, ctx, frame, called }: WrongCall,
): void {
  const stack = callerOf(called);
  const current = stack === undefined ? undefined : liveContextOf(frame);
  if (stack === undefined || current === undefined) return;
  channel.publish({ call, ctx, current, stack });
  warnOnce(code, `${call} ${advice}`, siteOf(stack), stack);
}

function isStray(ctx: Context, frame: CurrentFrame): boolean {
  if (ctx === background() || ctx === todo()) return true;
  const scope = scopeOf(ctx);
  return scope !== undefined && strays.get(scope) === frame && ledgerOf(ctx) === undefined;
}

function isOfAnotherFinishedRequest(ctx: Context, frame: CurrentFrame): boolean {
  const cause = readProperty(ctx.err(), "cause");
  if (readProperty(cause, "code") !== "ERR_REQUEST_FINISHED") return false;
  const current = frame.ctx;
  const [own, around] = [ledgerOf(ctx), ledgerOf(current)];
  if (own === undefined || around === undefined) return false;
  return !ledgersOf(current).has(own) && !ledgersOf(ctx).has(around);
}
