/** The failures of the tasks of one call: the first one is thrown, and carries the later ones. */
import { channel } from "../core/channels.ts";
import type { CancelableContext } from "../core/context.ts";
import { isAtOrBelow } from "../core/descends-from.ts";
import { isDevelopment } from "../core/development.ts";
import { findContextError, LONGEST_CHAIN } from "../core/errors.ts";
import { scopeOf } from "../core/foreign.ts";
import { describe, isInstance, readProperty } from "../core/foreign-value.ts";
import type { Scope } from "../core/tree.ts";
import { recordStack } from "../core/user-stack.ts";
import { warnOnce } from "../core/warn-once.ts";
import { framesOfProgram, userStack } from "../work/caller.ts";

const unattached = channel("task.suppressed");

/** The `suppressed` arrays that this file wrote, and the scope of the call that wrote each. */
const written = new WeakMap<object, { list: readonly unknown[]; scope: Scope }>();

/** Errors that several calls got. */
const shared = new WeakSet<object>();

/** Says that several calls get `error`, so that none of them may write on it. */
export function markShared(error: unknown): void {
  if (typeof error === "object" && error !== null) shared.add(error);
}

export class Failures {
  readonly #ctx: CancelableContext;
  readonly #site = isDevelopment() ? recordStack() : undefined;
  /** Created when it is needed, because most calls have no failures. */
  #later: Set<unknown> | undefined;
  #first: unknown;
  #hasFirst = false;
  #expectsEnd = false;

  /** `ctx` is the context of the tasks, which belongs to the call alone. */
  constructor(ctx: CancelableContext) {
    this.#ctx = ctx;
  }

  /** Records what a task threw. The same error counts once. */
  add(error: unknown): void {
    if (this.#expectsEnd && passesOn(error, this.#ctx.err())) return;
    if (this.#hasFirst) {
      if (!Object.is(error, this.#first)) (this.#later ??= new Set()).add(error);
      return;
    }
    this.#hasFirst = true;
    this.#first = error;
    this.expectEnd();
  }

  /** Says that the tasks have been canceled. To pass on the end of their context is no failure now. */
  expectEnd(): void {
    this.#expectsEnd = true;
  }

  /**
   * Throws the first failure, if there is one. The later ones are in its `suppressed` array if the
   * error belongs to this call alone. If not, they are published on `eightysix:task.suppressed`, and
   * development mode warns of them, once for each call site.
   */
  throwFirst(): void {
    if (!this.#hasFirst) return;
    const later = this.#later;
    if (later !== undefined && !attach(this.#first, later, this.#ctx)) this.#publish(later);
    throw this.#first;
  }

  #publish(later: Iterable<unknown>): void {
    const stack = this.#site && (userStack(this.#site) ?? "");
    for (const suppressed of later) {
      unattached.publish({ error: this.#first, suppressed });
      if (stack === undefined) continue;
      warnOnce(
        "EIGHTYSIX_SUPPRESSED",
        "a task failed after the first failure, whose error cannot carry the later one; subscribe to the channel eightysix:task.suppressed",
        framesOfProgram(stack),
        `${stack}\nThe later failure: ${describe(suppressed)}`,
      );
    }
  }
}

/** Returns whether `error` is `end` or wraps it, and carries no failure that would be lost. */
function passesOn(error: unknown, end: Error | undefined): boolean {
  let current = error;
  for (let i = 0; i < LONGEST_CHAIN && typeof current === "object" && current !== null; i++) {
    if (current === end) return !written.has(error as object);
    current = readProperty(current, "cause");
  }
  return false;
}

/**
 * Adds `later` to the `suppressed` array of `error`. Returns false, and changes nothing, if `error`
 * cannot hold the array or may belong to others: it is a context error, which all contexts that
 * ended together share, it is the error of a flight of several calls, or it has a `suppressed` that
 * neither this call nor one below it wrote.
 */
function attach(error: unknown, later: Iterable<unknown>, ctx: CancelableContext): boolean {
  try {
    if (!isError(error) || findContextError(error) === error || shared.has(error)) return false;
    const scope = scopeOf(ctx) as Scope;
    const before = written.get(error);
    if (before === undefined) {
      if ("suppressed" in error) return false;
    } else {
      const isBelow = isAtOrBelow(before.scope, scope);
      if (!isBelow || before.list !== readProperty(error, "suppressed")) return false;
    }
    const list = [...new Set([...(before?.list ?? []), ...later])];
    Object.defineProperty(error, "suppressed", { value: list, writable: true, configurable: true });
    written.set(error, { list, scope });
    return true;
  } catch {
    return false; // the error is frozen, or a proxy that throws
  }
}

/** An error of another realm, such as that of a test runner, is no instance of this realm's Error. */
function isError(x: unknown): x is object {
  return isInstance(x, Error) || Object.prototype.toString.call(x) === "[object Error]";
}
