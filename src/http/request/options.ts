/** The options of `requestContext`, and of everything that creates request contexts. */
import type { Context } from "../../index.ts";
import type { RequestLimits } from "./limits.ts";
import type { NodeRequest } from "./node-types.ts";

export interface RequestContextOptions<Req = NodeRequest> extends RequestLimits<Req> {
  /**
   * The parent of the request's context. If it ends, the request's context ends. Its values are
   * visible in the request's context. Default: `background()`. Do not pass a context that a signal
   * ends, such as `notifyContext()`: the first SIGTERM would fail every request. `serve` shuts a
   * server down.
   */
  parent?: Context;
}
