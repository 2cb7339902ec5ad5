/** The options of `withContext` in `eightysix/redis` and `eightysix/ioredis`. */
import { checkOptions, show } from "../../internal.ts";
import { STOP_TIMEOUT } from "../stoppable.ts";

export interface WithContextOptions {
  /**
   * How many blocking commands may run at the same time, 32 by default. Each runs on a connection of
   * its own. Further blocking commands wait for their turn.
   */
  maxBlocking?: number;
  /**
   * How long the server may take to answer after the context has ended, in milliseconds, 2000 by
   * default. After that the caller gets `ctx.err()`, and the receipt says "abandoned".
   */
  stopTimeout?: number;
}

/** Checks the options and fills in the defaults. Throws a TypeError for a wrong option. */
export function redisSettings(options: WithContextOptions): Required<WithContextOptions> {
  checkOptions(options, "withContext", ["maxBlocking", "stopTimeout"]);
  const { maxBlocking = 32, stopTimeout = STOP_TIMEOUT } = options;
  if (!Number.isInteger(maxBlocking) || maxBlocking < 1) {
    throw new TypeError(
      `maxBlocking is the number of blocking commands that may run at the same time, 1 or more; got ${show(maxBlocking)}`,
    );
  }
  if (!Number.isFinite(stopTimeout)) {
    throw new TypeError(`stopTimeout is a finite number of milliseconds, got ${show(stopTimeout)}`);
  }
  return { maxBlocking, stopTimeout };
}
