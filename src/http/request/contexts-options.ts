/** The options of every `contexts()`. Runs on every platform. */
import type { Context } from "../../index.ts";
import { checkCurrent, type CurrentOption } from "./current-option.ts";
import { checkOnDisconnect, type DisconnectOption } from "./disconnect-option.ts";
import { checkLimits, type RequestLimits } from "./limits.ts";

type Options = RequestLimits<never> &
  CurrentOption &
  DisconnectOption & { readonly parent?: Context | undefined };

/**
 * Throws a TypeError or a RangeError if the options of `contexts()` make no sense, or if one of them
 * is unknown. `call` is how to write the call. `frameworks` are the options that the framework itself
 * passes on.
 */
export function checkContextsOptions(
  options: Options,
  call: string,
  frameworks: readonly string[] = [],
): void {
  checkLimits(options, call, ["current", "onDisconnect", ...frameworks]);
  checkCurrent(options.current);
  checkOnDisconnect(options.onDisconnect);
}
