/** Scopes that also end with scopes that are not their parent, for `merge` and `withSignal`. */
import { now } from "./clock.ts";
import { endFrom, type End } from "./end.ts";
import {
  conclude,
  earlier,
  endAtBirth,
  endOf,
  ALWAYS_PROBE,
  push,
  Scope,
  tie,
  unlink,
  watchOf,
  type Limit,
  type Tie,
} from "./tree.ts";

/** The members of an AbortSignal that are used. A polyfilled signal has them too. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  readonly reason?: unknown;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/**
 * A scope that ends when the first of its parent and its sources ends. It listens to them from
 * birth.
 */
export class JoinScope extends Scope {
  readonly #name: string;
  readonly #sources: readonly Scope[];

  constructor(name: string, parent: Scope | undefined, sources: readonly Scope[]) {
    super(parent);
    this.#name = name;
    this.#sources = sources;
    for (const source of sources) {
      this.limit = earlierLimit(this.limit, source.limit);
      if (source.aliveEpoch === ALWAYS_PROBE) this.aliveEpoch = ALWAYS_PROBE;
    }
  }

  override describe(): string {
    return this.#name;
  }

  override probe(): End | undefined {
    let first: End | undefined;
    for (const source of this.#sources) first = earlier(first, endOf(source));
    return first;
  }

  override arm(): () => void {
    const ties: Tie[] = [];
    // Listening to one source can reveal that another has ended.
    for (const source of this.#sources)
      if (endOf(source) === undefined) ties.push(tie(source, this));
    return () => {
      for (const link of ties) unlink(link);
    };
  }
}

/** Returns the earlier of two limits. */
function earlierLimit(a: Limit | undefined, b: Limit | undefined): Limit | undefined {
  return a === undefined || (b !== undefined && b.at < a.at) ? b : a;
}

/**
 * Creates a scope that ends when the first of its parent and `sources` ends. `name` is for logs.
 */
export function join(name: string, parent: Scope | undefined, sources: readonly Scope[]): Scope {
  const scope = new JoinScope(name, parent, sources);
  // Ends before the birth of this scope count as simultaneous. The parent's comes first, then the
  // others by position.
  for (const above of [parent, ...sources]) endAtBirth(scope, above && endOf(above), undefined);
  if (scope.end === undefined) {
    const watch = watchOf(scope);
    if (watch !== undefined) watch.pinned = true;
    // Listening can reveal an end.
    if (endOf(scope) !== undefined) push(scope);
  }
  return scope;
}

/**
 * Stands for an AbortSignal in the tree. All contexts that depend on it share it and its one
 * listener.
 */
class SignalScope extends Scope {
  readonly #signal: AbortSignalLike;

  constructor(signal: AbortSignalLike) {
    super(undefined);
    this.#signal = signal;
  }

  override probe(): End | undefined {
    return this.#signal.aborted ? endFrom(this.#signal.reason, now()) : undefined;
  }

  override arm(): () => void {
    const signal = this.#signal;
    const listener = (): void => {
      conclude(this, endFrom(signal.reason, now()));
    };
    signal.addEventListener("abort", listener);
    return () => {
      signal.removeEventListener("abort", listener);
    };
  }
}

const signals = new WeakMap<object, SignalScope>();

/** Returns the scope that stands for `signal`. */
export function scopeOfSignal(signal: AbortSignalLike): Scope {
  let scope = signals.get(signal);
  if (scope === undefined) signals.set(signal, (scope = new SignalScope(signal)));
  // A scope without a listener has not noticed the abort.
  if (signal.aborted && scope.end === undefined) conclude(scope, endFrom(signal.reason, now()));
  return scope;
}
