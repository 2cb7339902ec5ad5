/**
 * The contexts of this package. Each is a handle: a scope that can end, and the values visible
 * there.
 */
import { newController } from "./controller.ts";
import { DESCRIBE, inspectContext, printContext } from "./print.ts";
import type { CancelableContext, Context } from "./context.ts";
import type { ContextError } from "./errors.ts";
import { key, lookUp, type Key, type Values } from "./values.ts";
import type { Scope } from "./tree.ts";
import { readProperty } from "./foreign-value.ts";
import { classOf } from "./show.ts";
import { cancel, dependOn, endOf, signalOf } from "./tree.ts";

/** The key whose value is the scope of a context. A wrapper passes it on like any other value. */
export const SCOPE = key<Scope>("eightysix.scope");

/** Safari and older engines have no `Symbol.dispose`. Compilers of `using` then use this symbol. */
export const DISPOSE: typeof Symbol.dispose =
  Symbol.dispose ?? (Symbol.for("Symbol.dispose") as typeof Symbol.dispose);

export abstract class Handle implements Context {
  abstract readonly parent: Context | undefined;
  abstract readonly scope: Scope | undefined;
  abstract readonly values: Values | undefined;
  /** Returns how the context was derived, in Go's words. */
  abstract [DESCRIBE](): string;

  deadline(): Date | undefined {
    const { scope } = this;
    if (scope === undefined) return undefined;
    // Code that reads a deadline may compare ends next, as a second copy of the package does.
    dependOn(scope);
    return scope.limit === undefined ? undefined : new Date(scope.limit.wall());
  }

  get signal(): AbortSignal {
    const { scope } = this;
    return scope === undefined ? (neverAborts ??= newController().signal) : signalOf(scope);
  }

  err(): ContextError | undefined {
    const { scope } = this;
    return scope === undefined ? undefined : endOf(scope)?.error;
  }

  value<T, D>(key: Key<T, D>): T | D {
    if ((key as unknown) === SCOPE) {
      if (this.scope !== undefined) dependOn(this.scope);
      return this.scope as D;
    }
    return lookUp(this.values, key) as T | D;
  }

  toString(): string {
    return printContext(this);
  }

  toJSON(): string {
    return printContext(this);
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return inspectContext(this);
  }
}

let neverAborts: AbortSignal | undefined;

/** A context without a parent, which never ends. */
export class RootContext extends Handle {
  readonly parent = undefined;
  readonly scope = undefined;
  readonly values = undefined;
  readonly #name: string;
  constructor(name: string) {
    super();
    this.#name = name;
  }
  [DESCRIBE](): string {
    return `context.${this.#name}`;
  }
}

/** A context with a scope of its own, which it can end. */
export class ScopedContext extends Handle implements CancelableContext {
  readonly parent: Context;
  readonly scope: Scope;
  readonly values: Values | undefined;
  constructor(parent: Context, scope: Scope, values: Values | undefined) {
    super();
    this.parent = parent;
    this.scope = scope;
    this.values = values;
  }
  cancel(cause?: unknown): void {
    // For example in `emitter.on("close", ctx.cancel)`.
    if (!(this instanceof ScopedContext)) {
      throw new TypeError("cancel() was called without its context; pass () => ctx.cancel()");
    }
    const finished = readProperty(cause, "finished") === true;
    cancel(this.scope, finished ? "finished" : "canceled", cause ?? undefined);
  }
  [DISPOSE](): void {
    cancel(this.scope, "finished", undefined);
  }
  [DESCRIBE](): string {
    return this.scope.describe();
  }
}

/** Ends `ctx` as finished, as `using` does. */
export function finish(ctx: CancelableContext): void {
  ctx[DISPOSE]();
}

/**
 * A context with one more value. To save an object, it is also the entry in the chain of values.
 */
export class ValueContext extends Handle implements Values {
  readonly parent: Context;
  readonly scope: Scope | undefined;
  readonly outer: Values | undefined;
  readonly key: Key<unknown, unknown>;
  readonly held: unknown;
  constructor(
    parent: Context,
    scope: Scope | undefined,
    outer: Values | undefined,
    key: Key<unknown, unknown>,
    held: unknown,
  ) {
    super();
    this.parent = parent;
    this.scope = scope;
    this.outer = outer;
    this.key = key;
    this.held = held;
  }
  get values(): Values {
    return this;
  }
  [DESCRIBE](): string {
    return `WithValue(${this.key.name}, ${this.key.secret ? "[secret]" : brief(this.held)})`;
  }
}

/** A context with values and without a scope, which never ends. */
export class DetachedContext extends Handle {
  readonly parent: Context;
  readonly scope = undefined;
  readonly values: Values | undefined;
  constructor(parent: Context, values: Values | undefined) {
    super();
    this.parent = parent;
    this.values = values;
  }
  [DESCRIBE](): string {
    return "WithoutCancel";
  }
}

/**
 * Returns a value as text for a log. For an object, the text is only the class, because the
 * object's data may be private.
 */
function brief(value: unknown): string {
  // A control character that a client sent must not start a new line in a log.
  if (typeof value === "string") return clip(value).replace(/\p{Cc}/gu, "\uFFFD");
  if (typeof value === "object" && value !== null) return `[${classOf(value) ?? "object"}]`;
  return typeof value === "function" ? "[function]" : String(value);
}

function clip(text: string): string {
  return text.length > 64 ? `${text.slice(0, 64)}…` : text;
}
