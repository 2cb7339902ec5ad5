/** The callers that wait for tokens of a semaphore. */
import type { Context } from "../core/context.ts";
import { throwIfDone } from "../core/context-state.ts";
import { DoneListener } from "../core/done-listener.ts";

/** A caller that waits until it gets a `T` or its context ends. */
export class Waiter<T> extends DoneListener {
  readonly weight: number;
  /** The neighbors in the queue. */
  ahead: Waiter<T> | undefined = undefined;
  behind: Waiter<T> | undefined = undefined;
  readonly #ctx: Context;
  readonly #queue: WaitQueue<T>;
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: unknown) => void;

  /** Watches `ctx` until the caller no longer waits. */
  constructor(
    queue: WaitQueue<T>,
    ctx: Context,
    weight: number,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
  ) {
    super();
    this.#queue = queue;
    this.#ctx = ctx;
    this.weight = weight;
    this.#resolve = resolve;
    this.#reject = reject;
    this.register(ctx);
  }

  /** Ends the wait with `value`. */
  grant(value: T): void {
    this.#leave();
    this.#resolve(value);
  }

  /**
   * Ends the wait if the context is done. It asks the context, because a deadline may have passed
   * before its timer fires. Returns whether the wait has ended.
   */
  leaveIfDone(): boolean {
    try {
      throwIfDone(this.#ctx);
      return false;
    } catch (error) {
      // Also if the `err()` of a foreign context throws: the error is that of its own caller.
      this.#leave();
      this.#reject(error);
      return true;
    }
  }

  override onDone(): void {
    this.#reject(this.end?.error);
    if (this.#leave()) this.#queue.onLeave();
  }

  #leave(): boolean {
    // Removed first, because a foreign context may run code when it loses its listener.
    const wasQueued = this.#queue.remove(this);
    this.unregister();
    return wasQueued;
  }
}

/**
 * A queue in which the first caller is found, and any caller leaves, in constant time. (To find the
 * first entry of a `Set`, V8 passes all entries that were deleted before it.)
 */
export class WaitQueue<T> {
  first: Waiter<T> | undefined = undefined;
  #last: Waiter<T> | undefined = undefined;
  #length = 0;
  /** Called after a caller has left because its context ended. */
  readonly onLeave: () => void;

  constructor(onLeave: () => void) {
    this.onLeave = onLeave;
  }

  get length(): number {
    return this.#length;
  }

  append(waiter: Waiter<T>): void {
    waiter.ahead = this.#last;
    if (this.#last === undefined) this.first = waiter;
    else this.#last.behind = waiter;
    this.#last = waiter;
    this.#length++;
  }

  /** Returns false if the caller is not in the queue. */
  remove(waiter: Waiter<T>): boolean {
    const { ahead, behind } = waiter;
    if (ahead === undefined && this.first !== waiter) return false;
    if (ahead === undefined) this.first = behind;
    else ahead.behind = behind;
    if (behind === undefined) this.#last = ahead;
    else behind.ahead = ahead;
    waiter.ahead = waiter.behind = undefined;
    this.#length--;
    return true;
  }
}
