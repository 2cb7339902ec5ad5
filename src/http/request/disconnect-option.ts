/** The option `onDisconnect` of everything that runs the handlers of a request. */
import { show } from "../../internal.ts";

export interface DisconnectOption {
  /**
   * What happens to the handlers' context when the client disconnects.
   *
   * - `"cancel"`: the context ends.
   * - `"continue"`: the context goes on. The limits, `parent` and the shutdown of the server still end
   *   it. It finishes when the handler has settled or responded, the request has ended, and no
   *   recorded work runs under it. `serve` waits for it. Use this for a write that must not stop
   *   halfway. If only one step must finish, wrap that step in `shield` instead, and let the rest be
   *   canceled.
   *
   * Default: the value of an outer `contexts()` of the same request, or `"cancel"` if there is none.
   */
  onDisconnect?: "cancel" | "continue";
}

/** Throws a TypeError unless `onDisconnect` is one of its choices. */
export function checkOnDisconnect(onDisconnect: unknown): void {
  if (onDisconnect === undefined || onDisconnect === "cancel" || onDisconnect === "continue")
    return;
  throw new TypeError(
    `onDisconnect is "cancel" or "continue", got ${show(onDisconnect)}; pass "continue" if the work must not stop with its client`,
  );
}
