/** Scopes with a deadline of their own. */
import { callAt, JITTER, monotonicOf, now, wallOf } from "./clock.ts";
import { End } from "./end.ts";
import { endAtBirth, endOf, push, Scope, type Limit } from "./tree.ts";

/**
 * The last time that a Date can hold, in milliseconds since the Unix epoch. The first is
 * `-LAST_DATE`.
 */
const LAST_DATE = 8.64e15;

/** A scope whose deadline is earlier than every deadline above it, so it is its own limit. */
class DeadlineScope extends Scope implements Limit {
  readonly at: number;
  readonly cause: unknown;
  #wall: number | undefined;

  constructor(parent: Scope | undefined, at: number, wall: number | undefined, cause: unknown) {
    super(parent);
    this.at = at;
    this.cause = cause;
    this.#wall = wall;
    this.limit = this;
  }

  wall(): number {
    this.#wall ??= wallOf(this.at);
    return Math.max(-LAST_DATE, Math.min(this.#wall, LAST_DATE));
  }

  override describe(): string {
    const left = Math.round(this.at - now());
    return `WithDeadline(${new Date(this.wall()).toISOString()} [${left} ms])`;
  }

  override probe(time: number): End | undefined {
    return time >= this.at ? new End("deadline", this.cause, this.at) : undefined;
  }

  override arm(): () => void {
    return callAt(
      this.at,
      () => {
        if (endOf(this) !== undefined) push(this);
      },
      false,
    );
  }
}

/** Makes a scope that ends `ms` milliseconds from now, or with its parent's earlier deadline. */
export function scopeAfter(parent: Scope | undefined, ms: number, cause: unknown): Scope {
  const time = now();
  // A past deadline passes now: if the parent is done already, its end came first.
  const at = ms > 0 ? time + ms : time;
  const limit = parent?.limit;
  if (at === Infinity || (limit !== undefined && limit.at <= at)) return new Scope(parent);
  return endIfPast(new DeadlineScope(parent, at, undefined, cause), time);
}

/**
 * Makes a scope that ends at a time of the wall clock, in milliseconds since the Unix epoch, or
 * with its parent's earlier deadline.
 */
export function scopeUntil(parent: Scope | undefined, wall: number, cause: unknown): Scope {
  if (wall === Infinity) return new Scope(parent);
  const at = monotonicOf(wall);
  // Read after the conversion, so that a deadline that the wall clock has reached is past.
  const time = now();
  const limit = parent?.limit;
  if (limit !== undefined) {
    // The parent's deadline counts if both are equal, although jitter can make this one earlier. If
    // the wall clock has been set since, this one can be earlier by more than jitter, or be past.
    const isEarlier =
      at <= time ? time < limit.at : wall < limit.wall() ? at < limit.at : at < limit.at - JITTER;
    if (!isEarlier) return new Scope(parent);
  }
  return endIfPast(new DeadlineScope(parent, Math.max(at, time), wall, cause), time);
}

/**
 * Ends a scope whose deadline has passed already. If its parent ended before, it ends with the
 * parent.
 */
function endIfPast(scope: DeadlineScope, time: number): Scope {
  if (scope.at <= time) endAtBirth(scope, scope.parent && endOf(scope.parent), scope.probe(time));
  return scope;
}
