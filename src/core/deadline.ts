/** A scope that ends by itself. */
import { callAt, monotonicOf, now, wallOf } from "./clock.ts";
import { End } from "./end.ts";
import { endAtBirth, endOf, push, Scope, type Limit } from "./tree.ts";

/** No Date goes further, and -LAST_DATE is the first: 273,972 years are as good as any. */
const LAST_DATE = 8.64e15;

/** Made only where the deadline is earlier than every one above it; so it is its own limit. */
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

/** A scope that ends `ms` from now, or with its parent's earlier deadline. */
export function scopeAfter(parent: Scope | undefined, ms: number, cause: unknown): Scope {
  const time = now();
  // A past deadline happens now: a parent that is done already was first.
  const at = ms > 0 ? time + ms : time;
  const limit = parent?.limit;
  if (at === Infinity || (limit !== undefined && limit.at <= at)) return new Scope(parent);
  return endIfPast(new DeadlineScope(parent, at, undefined, cause), time);
}

/** A scope that ends at a wall-clock time in epoch milliseconds, or with its parent's earlier deadline. */
export function scopeUntil(parent: Scope | undefined, wall: number, cause: unknown): Scope {
  const limit = parent?.limit;
  if (wall === Infinity || (limit !== undefined && limit.wall() <= wall)) return new Scope(parent);
  const time = now();
  const at = Math.max(monotonicOf(wall), time);
  if (limit !== undefined && limit.at <= at) return new Scope(parent);
  return endIfPast(new DeadlineScope(parent, at, wall, cause), time);
}

/** Past deadlines are done at birth; a parent that was done before them comes first. */
function endIfPast(scope: DeadlineScope, time: number): Scope {
  if (scope.at <= time) endAtBirth(scope, scope.parent && endOf(scope.parent), scope.probe(time));
  return scope;
}
