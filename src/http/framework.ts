/** The parts that all frameworks on node:http share. */
import { afterFunc, type Context } from "../index.ts";
import { queueRespondWhenDone, trackWithLimits } from "./open-request.ts";
import { continueOnNode, continuingOptions } from "./request/continue-on-node.ts";
import { withValuesOf } from "./request/continuing-request.ts";
import { currentMode, type CurrentOption } from "./request/current-option.ts";
import { CurrentRequest } from "./request/current.ts";
import type { DisconnectOption } from "./request/disconnect-option.ts";
import type { RequestContextOptions } from "./request/options.ts";
import { track } from "./request/tracked-request.ts";
import { hasBegun, markAsGone } from "./respond/mark-as-gone.ts";
import { requestEndedError, type RequestEndedError } from "./respond/request-ended-error.ts";
import { removeFraming, replaceHeaders } from "./respond/replaced-headers.ts";
import { isTaken, takeOver } from "./respond/take-over.ts";
import { statusOf } from "./respond/status.ts";
import type { RequestLike, WritableResponseLike } from "./types.ts";

/** The options of every `contexts()` on node:http. */
export type ContextsOptions<Req = never> = RequestContextOptions<Req> &
  CurrentOption &
  DisconnectOption;

/** A request as one `contexts()` opens it for the handlers behind it. */
export interface OpenedRequest {
  /** The context of the handlers. It may be done already. */
  readonly ctx: Context;
  /**
   * To be called when the handlers have responded or settled. Set if this `contexts()` has created a
   * continuing context.
   */
  readonly responded: (() => void) | undefined;
}

/**
 * Returns the context for handlers, with these limits, and with the values of `seen`: the context
 * that handlers have seen so far, if there is one.
 *
 * If the context ends before a response has begun, and the client is still connected, `late` is
 * called to respond. The call comes one turn of the event loop later, so that a handler that stops
 * at once can respond by itself. Anything that the handler writes after that response is discarded.
 */
export function openRequest(
  req: RequestLike,
  res: WritableResponseLike,
  options: ContextsOptions,
  late: (end: RequestEndedError) => void,
  seen?: Context,
): OpenedRequest {
  const { tracked, ctx: own } = trackWithLimits(req, res, options);
  const continuing = continueOnNode(req, tracked, options);
  const ended = continuing?.ctx ?? own;
  const ctx = withValuesOf(seen === tracked.ctx ? undefined : seen, ended);
  const created = continuing?.created;
  if (ctx.err() !== undefined) {
    created?.responded();
    return { ctx, responded: undefined };
  }
  queueRespondWhenDone(tracked, ended, res, () => {
    replaceHeaders(res);
    takeOverAtEnd(res);
    late(requestEndedError(ended));
  });
  return { ctx, responded: created && (() => created.responded()) };
}

/**
 * Returns whether the client has disconnected. If so, closes the response, and marks it with 499 for
 * logs.
 */
export function isGone(end: RequestEndedError, res: WritableResponseLike): boolean {
  if (end.status !== 499) return false;
  markAsGone(res);
  if (!res.writableEnded) res.destroy();
  return true;
}

/**
 * Takes the response away from the handler when it is ended. Until then the framework may take its
 * time, and set any header.
 */
function takeOverAtEnd(res: WritableResponseLike): void {
  const own = res as { end: (...args: unknown[]) => unknown };
  const end = own.end;
  own.end = (...args) => {
    const isFirst = !isTaken(res);
    if (isFirst) own.end = end;
    const taken = takeOver(res);
    taken.hideHead();
    return taken.answer(() => {
      if (!res.headersSent) removeFraming(res);
      return isFirst ? own.end(...args) : end.apply(res, args);
    });
  };
}

/**
 * Returns the request's current context, or `undefined` if `current` does not ask for one. `read`
 * returns the context that handlers see.
 */
export function openCurrent(
  req: RequestLike & { readonly method?: string },
  res: WritableResponseLike,
  options: ContextsOptions,
  read: () => Context,
): CurrentRequest | undefined {
  const mode = currentMode(req, options);
  if (mode === false) return undefined;
  const tracked = track(req, res, options);
  return new CurrentRequest(req, {
    ...continuingOptions(req, tracked, options),
    ...{ mode, method: req.method, read },
  });
}

/**
 * Calls `next`, under the current context if `current` asks for one. For frameworks whose `next`
 * does not return a promise that settles when the handler ends. Calls `responded` when the handler
 * has responded.
 */
export function callNext(
  req: RequestLike,
  res: WritableResponseLike,
  options: ContextsOptions,
  read: () => Context,
  next: () => unknown,
  responded?: () => void,
): void {
  const current = openCurrent(req, res, options, read);
  const created = current?.created;
  // `responded` is set if this request had its continuing context before; then `created` is not.
  const onDone = responded ?? (created && (() => created.responded()));
  if (onDone !== undefined) onResponded(req, res, onDone);
  if (current === undefined) next();
  else current.run(next);
}

/**
 * Calls `responded` when the handler ends the response or destroys it, perhaps repeatedly. Both
 * methods are replaced, because no event reports these calls after the client has disconnected:
 * `end()` then makes HTTP/1 emit only `prefinish`, and HTTP/2 nothing.
 *
 * A disconnect in the middle of the response counts as well. A stream that is piped into the
 * response may never learn of the disconnect, and so never calls `end()`.
 */
function onResponded(req: RequestLike, res: WritableResponseLike, responded: () => void): void {
  const methods = res as unknown as Record<"end" | "destroy", (...args: unknown[]) => unknown>;
  for (const name of ["end", "destroy"] as const) {
    const method = methods[name];
    methods[name] = function (this: unknown, ...args) {
      responded();
      return method.apply(this, args);
    };
  }
  afterFunc(track(req, res, {}).ctx, (err) => {
    if (hasBegun(res) || statusOf(err) !== 499) responded();
  });
}
