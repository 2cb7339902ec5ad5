/** One flight of a `SingleFlight`: one run of a task, and the calls that wait for it. */
import { afterFunc } from "../core/after-func.ts";
import type { CancelableContext, Context } from "../core/context.ts";
import { withValue } from "../core/derive.ts";
import type { ContextError } from "../core/errors.ts";
import { scopeOf, valuesOf } from "../core/foreign.ts";
import { finish, ScopedContext } from "../core/handle.ts";
import { JoinAllScope } from "../core/join-all.ts";
import { key } from "../core/values.ts";
import { startWork, withLedger } from "../work/ledger.ts";
import { markShared } from "./failures.ts";
import type { Task } from "./task.ts";

/** A flight, as the search for circles sees it. */
interface AnyFlight {
  /** The flights that the task of this flight waits for, with an entry for each wait. */
  readonly waitsFor: Map<object, AnyFlight>;
}

/** The flight to whose task a context belongs. */
const FlightKey = key<AnyFlight>("flight", { secret: true });

/** Ends the wait of one call. */
type EndWait<V> = (outcome: PromiseSettledResult<V>) => void;

interface Wait<V> {
  readonly end: EndWait<V>;
  /** Ends the wait with the error of the context of the call. */
  readonly leave: (err: ContextError) => void;
  readonly outcome: Promise<PromiseSettledResult<V>>;
}

/** One run of a task. */
export class Flight<V> implements AnyFlight {
  readonly #scope = new JoinAllScope("SingleFlight");
  readonly #handle: CancelableContext;
  /** The calls that wait for the end of this flight. */
  readonly #waits = new Set<EndWait<V>>();
  readonly waitsFor = new Map<object, AnyFlight>();

  /** The task gets the values of `first`. */
  constructor(first: Context) {
    this.#handle = new ScopedContext(first, this.#scope, valuesOf(first));
  }

  /**
   * Keeps this flight from being canceled while `ctx` is live. Returns false if the flight is canceled
   * already.
   */
  join(ctx: Context): boolean {
    return this.#scope.add(scopeOf(ctx));
  }

  /**
   * Waits until this flight has ended, and returns its outcome. If `ctx` ends before that, it rejects
   * with `ctx.err()`. `what` describes the wait in the ledger of `ctx`.
   */
  async wait(ctx: Context, what: string | undefined): Promise<PromiseSettledResult<V>> {
    const waitsFor = ctx.value(FlightKey)?.waitsFor;
    const { end, leave, outcome } = newWait<V>();
    const stop = afterFunc(ctx, leave);
    const work = startWork(ctx, "singleflight", what);
    this.#waits.add(end);
    waitsFor?.set(end, this);
    try {
      return await outcome;
    } finally {
      this.#waits.delete(end);
      waitsFor?.delete(end);
      work.end();
      stop();
    }
  }

  /**
   * Returns whether a wait under `ctx` for this flight would be a wait for itself: `ctx` belongs to
   * the task of this flight, or to that of a flight that this one waits for, perhaps through others.
   */
  waitsForTaskOf(ctx: Context): boolean {
    const caller = ctx.value(FlightKey);
    if (caller === undefined) return false;
    // The loop visits what it adds, too.
    const found = new Set<AnyFlight>([this]);
    for (const flight of found) {
      if (flight === caller) return true;
      for (const next of flight.waitsFor.values()) found.add(next);
    }
    return false;
  }

  /**
   * Runs the task, which begins before this method returns. When the task has ended, calls `onEnd` and
   * ends all waits. Never rejects.
   */
  async run(task: Task<V>, onEnd: () => void): Promise<void> {
    const outcome = await outcomeOf(task, withLedger(withValue(this.#handle, FlightKey, this)));
    onEnd();
    if (outcome.status === "rejected" && this.#waits.size > 1) markShared(outcome.reason);
    for (const end of this.#waits) end(outcome);
    finish(this.#handle);
  }
}

function newWait<V>(): Wait<V> {
  let end: EndWait<V> = () => undefined;
  let leave: Wait<V>["leave"] = () => undefined;
  const outcome = new Promise<PromiseSettledResult<V>>((resolve, reject) => {
    end = resolve;
    leave = reject;
  });
  return { end, leave, outcome };
}

async function outcomeOf<V>(task: Task<V>, ctx: Context): Promise<PromiseSettledResult<V>> {
  try {
    return { status: "fulfilled", value: await task(ctx) };
  } catch (reason) {
    return { status: "rejected", reason };
  }
}
