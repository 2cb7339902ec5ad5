/** What Redis commands have in common, whichever driver sends them. */
import { afterFunc, type Context } from "../../index.ts";
import { runStoppable } from "../stoppable.ts";

/**
 * Commands that hold their connection until something happens. WAIT and WAITAOF are not among
 * them: they ask about the earlier writes of the very connection that they are sent on.
 */
const BLOCKING = new Set([
  "BLPOP",
  "BRPOP",
  "BRPOPLPUSH",
  "BLMOVE",
  "BLMOVEM",
  "BLMPOP",
  "BZPOPMIN",
  "BZPOPMAX",
  "BZMPOP",
]);
const BLOCKING_WITH_OPTION = new Set(["XREAD", "XREADGROUP"]);

/** Whether `name` blocks; `hasOption` says if this call has a BLOCK, and is asked only if it matters. */
export function blocks(name: string, hasOption: () => boolean): boolean {
  const upper = name.toUpperCase();
  return BLOCKING.has(upper) || (BLOCKING_WITH_OPTION.has(upper) && hasOption());
}

/** Whether there is a BLOCK among the arguments of XREAD or XREADGROUP as they go to the server. */
export function hasBlock(args: readonly unknown[]): boolean {
  for (const arg of args) {
    const word = String(arg).toUpperCase();
    if (word === "BLOCK") return true;
    if (word === "STREAMS") return false; // names of streams come now
  }
  return false;
}

export interface Command<T> {
  readonly kind: string;
  /** Its name, as "GET". Never its arguments, which are the users' data. */
  readonly what: string;
  send(): PromiseLike<T>;
  /**
   * Takes it back, if it was not written yet: then it fails, and `isWithdrawn` knows the failure.
   * May be called again.
   */
  withdraw(): void;
  isWithdrawn(error: unknown): boolean;
}

/**
 * Runs a command on the user's own client. What was written cannot be taken back, and mostly is
 * over in microseconds: so its answer is waited for, up to the stop timeout. The client is not ours to
 * destroy; an answer that comes later than that is dropped.
 */
export function runCommand<T>(ctx: Context, command: Command<T>, stopTimeout: number): Promise<T> {
  const { kind, what } = command;
  return runStoppable(
    ctx,
    {
      kind,
      what,
      start: () => command.send(),
      stop() {
        command.withdraw();
        return Promise.resolve();
      },
      isStop: (error) => command.isWithdrawn(error),
      destroy: () => undefined,
    },
    stopTimeout,
  );
}

/** Waits for `promise` no longer than `ctx` lives; what it settles with later is ignored. */
export function whileLive<T>(ctx: Context, promise: PromiseLike<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = afterFunc(ctx, reject);
    promise.then(resolve, reject);
    promise.then(stop, stop);
  });
}
