/**
 * Contexts that are not ours: somebody's own class, a wrapper around one of ours, or a context of
 * a second copy of this package. Only the four members of the interface are relied on.
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
  gives,
  ALWAYS_PROBE,
  Scope,
  tie,
  unlink,
  type Limit,
} from "./tree.ts";

/** What stands for a foreign context in the tree: one, with one listener, for all its children. */
class ForeignScope extends Scope implements Limit {
  readonly #context: Context;
  readonly #deadline: number;
  readonly at: number;
  /** The scope of ours that it wraps, if any. */
  readonly #inner: Scope | undefined;

  constructor(context: Context) {
    super(undefined);
    this.#context = context;
    const inner: unknown = context.value(SCOPE);
    this.#inner = inner instanceof Scope ? inner : undefined;
    this.#deadline = context.deadline()?.getTime() ?? Infinity;
    this.at = monotonicOf(this.#deadline);
    if (this.at < Infinity) this.limit = this;
    // It does not count its endings with ours, so it is asked each time; and now: what is done
    // already was done before any deadline that is set under it.
    this.aliveEpoch = ALWAYS_PROBE;
    endAtBirth(this, undefined, this.probe());
  }

  wall(): number {
    return this.#deadline;
  }

  override probe(): End | undefined {
    const err: unknown = this.#context.err();
    return err === undefined || err === null ? undefined : endFrom(err, now());
  }

  override arm(): () => void {
    const context = this.#context;
    const ended = (): void => {
      conclude(this, endFrom(context.err() ?? context.signal.reason, now()));
    };
    const { afterFunc } = context as Partial<OffersAfterFunc>;
    if (typeof afterFunc === "function") {
      const stop = afterFunc.call(context, ended);
      return () => void stop();
    }
    const inner = this.#inner;
    const { signal } = context;
    // A wrapper that changes neither end nor signal is told by the scope that it wraps.
    if (inner !== undefined && endOf(inner) === undefined && gives(inner, signal)) {
      const link = tie(inner, this);
      return () => {
        unlink(link);
      };
    }
    // Aborted between the last look and now: no listener would hear of it.
    if (signal.aborted) ended();
    else signal.addEventListener("abort", ended);
    return () => {
      signal.removeEventListener("abort", ended);
    };
  }
}

class ForeignValues implements Values {
  readonly outer = undefined;
  readonly key = FOREIGN;
  readonly held: Context;
  constructor(context: Context) {
    this.held = context;
  }
}

const scopes = new WeakMap<Context, ForeignScope>();

/** The scope that can end `ctx`, ours or not; `undefined` for what never ends. */
export function scopeOf(ctx: Context): Scope | undefined {
  if (ctx instanceof Handle) return ctx.scope;
  let scope = scopes.get(ctx);
  if (scope === undefined) scopes.set(ctx, (scope = new ForeignScope(ctx)));
  return scope;
}

export function valuesOf(ctx: Context): Values | undefined {
  return ctx instanceof Handle ? ctx.values : new ForeignValues(ctx);
}
