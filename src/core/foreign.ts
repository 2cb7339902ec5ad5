/**
 * Foreign contexts: a class of the program, a wrapper around a context of this package, or a
 * context of a second copy of the package. Only the four members of `Context` are used, and
 * `afterFunc` if the context has it.
 */
import { monotonicOf, now } from "./clock.ts";
import type { Context, OffersAfterFunc } from "./context.ts";
import { endFrom, type End } from "./end.ts";
import { Handle, SCOPE } from "./handle.ts";
import { FOREIGN, type Values } from "./values.ts";
import {
  conclude,
  endAtBirth,
  endOf,
  isSignalOf,
  ALWAYS_PROBE,
  Scope,
  tie,
  unlink,
  type Limit,
} from "./tree.ts";

/**
 * Stands for a foreign context in the tree. All children of the context share it and its one
 * listener.
 */
class ForeignScope extends Scope implements Limit {
  readonly #context: Context;
  readonly #deadline: number;
  readonly at: number;
  /** The scope of the context of this package that this context wraps, if any. */
  readonly #inner: Scope | undefined;
  /** While the scope is watched: returns its end if its signal has aborted. */
  #endOfSignal: (() => End | undefined) | undefined;

  constructor(context: Context) {
    super(undefined);
    this.#context = context;
    const inner: unknown = context.value(SCOPE);
    this.#inner = inner instanceof Scope ? inner : undefined;
    this.#deadline = context.deadline()?.getTime() ?? Infinity;
    this.at = monotonicOf(this.#deadline);
    if (this.at < Infinity) this.limit = this;
    // A foreign context ends without changing `endEpoch`, so every pull probes it.
    this.aliveEpoch = ALWAYS_PROBE;
    // A context that is done already was done before any deadline below it.
    endAtBirth(this, undefined, this.probe());
  }

  wall(): number {
    return this.#deadline;
  }

  override probe(): End | undefined {
    const err = this.#err();
    return err === undefined || err === null ? this.#endOfSignal?.() : endFrom(err, now());
  }

  /**
   * A context whose `err()` throws has ended, with what it threw as the cause. If the error went on
   * from here, a `cancel()` below could not end anything, and a timer would end the process.
   */
  #err(): unknown {
    try {
      return this.#context.err();
    } catch (error) {
      return error ?? new TypeError(`the err() of a foreign context threw ${String(error)}`);
    }
  }

  override arm(): () => void {
    const context = this.#context;
    const ended = (): void => {
      conclude(this, endFrom(this.#err() ?? context.signal.reason, now()));
    };
    const { afterFunc } = context as Partial<OffersAfterFunc>;
    if (typeof afterFunc === "function") {
      const stop = afterFunc.call(context, ended);
      return () => void stop();
    }
    const stop = this.#listen(context.signal, ended);
    return () => {
      this.#endOfSignal = undefined;
      stop();
    };
  }

  /** Listens for an abort of the context's signal. Returns a function that removes the listener. */
  #listen(signal: AbortSignal, ended: () => void): () => void {
    const inner = this.#inner;
    // A wrapper that passes on the signal of its inner context needs no listener.
    if (inner !== undefined && endOf(inner) === undefined && isSignalOf(inner, signal)) {
      const link = tie(inner, this);
      this.#endOfSignal = () => endOf(inner);
      return () => {
        unlink(link);
      };
    }
    this.#endOfSignal = () => (signal.aborted ? endFrom(signal.reason, now()) : undefined);
    // A signal that has aborted since the last probe calls no listener.
    if (signal.aborted) {
      ended();
      return () => undefined;
    }
    signal.addEventListener("abort", ended);
    return () => {
      signal.removeEventListener("abort", ended);
    };
  }
}

/** Ends a chain of values in a foreign context. */
class ForeignValues implements Values {
  readonly outer = undefined;
  readonly key = FOREIGN;
  readonly held: Context;
  constructor(context: Context) {
    this.held = context;
  }
}

const scopes = new WeakMap<Context, ForeignScope>();

/** Returns the scope of any context, or `undefined` if the context can never end. */
export function scopeOf(ctx: Context): Scope | undefined {
  if (ctx instanceof Handle) return ctx.scope;
  let scope = scopes.get(ctx);
  if (scope === undefined) scopes.set(ctx, (scope = new ForeignScope(ctx)));
  return scope;
}

/** Returns the innermost values of any context. */
export function valuesOf(ctx: Context): Values | undefined {
  return ctx instanceof Handle ? ctx.values : new ForeignValues(ctx);
}
