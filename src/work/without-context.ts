/**
 * In development mode: a call that takes no context, such as that of a driver, although a current
 * context says that the call belongs to a request. It does not stop with that.
 */
import { channel } from "../core/channels.ts";
import { warnOnce } from "../core/warn-once.ts";
import { callerOf, siteOf, type AnyFunction } from "./caller.ts";
import { liveContextOf, lookUpFrame } from "./current-storage.ts";

const withoutContext = channel("call.without-context");

/**
 * Reports the call `name` if there is a current context that can end, and the program itself has made
 * the call: a library that uses a driver knows no context. `called` is a function that runs at the
 * moment, and `isSkipped` accepts the frames between it and the caller. `instead` is what to write.
 */
export function reportWithoutContext(
  name: string,
  instead: string,
  called: AnyFunction,
  isSkipped?: (frame: string) => boolean,
): void {
  const frame = lookUpFrame();
  if (frame === undefined) return;
  const stack = callerOf(called, isSkipped);
  const current = stack === undefined ? undefined : liveContextOf(frame);
  if (current === undefined || stack === undefined) return;
  withoutContext.publish({ call: name, current, stack });
  warnOnce(
    "EIGHTYSIX_WITHOUT_CONTEXT",
    `${name} was called without a context while there is a current one, and so does not stop with it; ${instead}; if it is meant to go on, wrap it with runWithoutContext`,
    siteOf(stack),
    stack,
  );
}
