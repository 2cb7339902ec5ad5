import { checkContext } from "../core/check-context.ts";
import { checkFunction } from "../core/check.ts";
import type { Context } from "../core/context.ts";
import { throwIfDone } from "../core/context-state.ts";
import { Flight } from "./flight.ts";
import type { Task } from "./task.ts";

/**
 * Runs a task once for all calls that want its result at the same time: Go's `singleflight`. A _flight_
 * is one run of a task. For each key there is one flight at a time. It caches nothing: a call after
 * the end of a flight starts another one.
 *
 * A call stops waiting when its context ends. The flight goes on while a call waits for it, and is
 * canceled when the context of the last one has ended.
 *
 * @example
 * const flights = new SingleFlight<string, User>();
 * const user = await flights.do(ctx, id, (ctx) => findUser(ctx, id));
 */
export class SingleFlight<K, V> {
  readonly #flights = new Map<K, Flight<V>>();

  /**
   * Joins the flight of `key`, or starts one with `task`, and returns its result. Keys are compared as
   * in a Map. If the flight of `key` is canceled, waits until it has ended, and then starts another
   * one.
   *
   * If `ctx` ends, the call rejects with `ctx.err()`, and the flight goes on for the other calls. Each
   * wait is work of the kind "singleflight" in the ledger of `ctx`. If the task fails, all calls that
   * still wait reject with its error, which is one object for them all.
   *
   * The task begins before `do` returns, in the async context of that first call. So the current
   * context is that of the first call, and the task must use the context that it is handed. That
   * context has:
   * - the values of the first call, and a ledger of its own;
   * - no deadline, because calls with later deadlines can join. Still, it is done from the moment at
   *   which the contexts of all calls are done, with the error of the last one. It never ends by
   *   itself if a call has a context that cannot end, such as `background()`.
   *
   * Rejects with a TypeError if the call would wait for itself: if `ctx` belongs to the flight of `key`,
   * or to a flight that the flight of `key` waits for. What the task starts with `detach` or `shield`
   * belongs to its flight, too.
   */
  async do(ctx: Context, key: K, task: Task<V>): Promise<V> {
    checkContext(ctx, "SingleFlight.do");
    checkFunction(task, "SingleFlight.do", "a task: (ctx) => …");
    const what = nameOf(key);
    for (;;) {
      throwIfDone(ctx);
      const running = this.#flights.get(key);
      const flight = running ?? new Flight<V>(ctx);
      if (flight.waitsForTaskOf(ctx)) throw circle(what);
      const isJoined = flight.join(ctx);
      const ended = flight.wait(ctx, what);
      // If `ctx` has ended since it was asked, nothing starts, and the wait rejects.
      if (running === undefined && isJoined) this.#start(key, flight, task);
      const outcome = await ended;
      if (!isJoined) continue;
      if (outcome.status === "fulfilled") return outcome.value;
      throw ctx.err() ?? outcome.reason;
    }
  }

  /**
   * Makes the next call for `key` start a flight. If a flight is running, it goes on for the calls that
   * wait for it.
   */
  forget(key: K): void {
    this.#flights.delete(key);
  }

  #start(key: K, flight: Flight<V>, task: Task<V>): void {
    this.#flights.set(key, flight);
    void flight.run(task, () => {
      // After `forget`, the key can have another flight.
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    });
  }
}

/** Returns a string or number as text for a ledger. Other keys may hold anything. */
function nameOf(key: unknown): string | undefined {
  return typeof key === "string" || typeof key === "number" ? String(key) : undefined;
}

function circle(key: string | undefined): TypeError {
  const flight = key === undefined ? "the flight" : `the flight of "${key}"`;
  return new TypeError(
    `SingleFlight.do would wait for itself: ${flight} was asked for by its own task, or by a task that it waits for; call the function directly, or use another key`,
  );
}
