/** Scopes that end with others than their parent: what `merge` and `withSignal` make. */
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

/** The parts of an AbortSignal that are used, so that polyfilled ones work too. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  readonly reason?: unknown;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** Ends when the first of its parent and its sources does, and listens to them from birth. */
class JoinScope extends Scope {
  readonly #name: string;
  readonly #sources: readonly Scope[];

  constructor(name: string, parent: Scope | undefined, sources: readonly Scope[]) {
    super(parent);
    this.#name = name;
    this.#sources = sources;
    for (const source of sources) {
      this.limit = sooner(this.limit, source.limit);
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
    // A source may turn out to have ended while we listen to another.
    for (const source of this.#sources)
      if (endOf(source) === undefined) ties.push(tie(source, this));
    return () => {
      for (const link of ties) unlink(link);
    };
  }
}

function sooner(a: Limit | undefined, b: Limit | undefined): Limit | undefined {
  return a === undefined || (b !== undefined && b.at < a.at) ? b : a;
}

/** A scope that ends with the first of its parent and `sources`; `name` is for logs. */
export function join(name: string, parent: Scope | undefined, sources: readonly Scope[]): Scope {
  const scope = new JoinScope(name, parent, sources);
  // What ended before this was born did so "now": a done parent comes first, then as they are given.
  for (const above of [parent, ...sources]) endAtBirth(scope, above && endOf(above), undefined);
  if (scope.end === undefined) {
    const watch = watchOf(scope);
    if (watch !== undefined) watch.pinned = true;
    // Listening can be what finds an end.
    if (endOf(scope) !== undefined) push(scope);
  }
  return scope;
}

/** What stands for an AbortSignal in the tree: one, with one listener, however many depend on it. */
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

export function scopeOfSignal(signal: AbortSignalLike): Scope {
  let scope = signals.get(signal);
  if (scope === undefined) signals.set(signal, (scope = new SignalScope(signal)));
  // Signals say nothing while nobody listens, so the scope cannot know by itself.
  if (signal.aborted && scope.end === undefined) conclude(scope, endFrom(signal.reason, now()));
  return scope;
}
