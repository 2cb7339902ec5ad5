/**
 * Which contexts hold connections of a pool, to recognize a call that waits for its own caller: a
 * query on the pool inside the function of a transaction waits for the connection of that transaction
 * if the pool has no other.
 */
import type { Context } from "../index.ts";
import { descendsFrom, ledgerOf, programStack, recordStack, warnOnce } from "../internal.ts";

/** The connections that a function of the user has, by their pool. */
const heldOf = new WeakMap<object, Set<HeldConnection>>();

/** One connection of a pool while a transaction, a stream or a function has it. */
export class HeldConnection {
  /** The call that holds it, such as "transaction(ctx, …)". */
  readonly call: string;
  readonly #ctx: Context;
  readonly #all: Set<HeldConnection>;
  #functions = 0;
  #operations = 0;

  /** `pool` may be any object that stands for the pool. */
  constructor(pool: object, ctx: Context, call: string) {
    this.call = call;
    this.#ctx = ctx;
    let all = heldOf.get(pool);
    if (all === undefined) heldOf.set(pool, (all = new Set()));
    this.#all = all;
  }

  /** Calls code of the user, which may wait for something else than this connection. */
  async callFunction<T>(fn: () => T | PromiseLike<T>): Promise<T> {
    this.#functions++;
    this.#all.add(this);
    try {
      return await fn();
    } finally {
      if (--this.#functions === 0) this.#all.delete(this);
    }
  }

  /** Runs an operation on the connection. */
  async run<T>(operation: () => PromiseLike<T>): Promise<T> {
    this.#operations++;
    try {
      return await operation();
    } finally {
      this.#operations--;
    }
  }

  /**
   * Whether nothing runs on the connection, and its use belongs to the same request as `ctx`: both
   * have the same ledger, or `ctx` comes from the context of this use.
   */
  isIdleIn(ctx: Context): boolean {
    if (this.#operations > 0) return false;
    const ledger = ledgerOf(ctx);
    if (ledger !== ledgerOf(this.#ctx)) return false;
    return ledger !== undefined || descendsFrom(ctx, this.#ctx);
  }
}

/** Returns the call that holds an idle connection of `pool` under a context like `ctx`. */
export function holderOf(pool: object, ctx: Context): string | undefined {
  for (const held of heldOf.get(pool) ?? []) if (held.isIdleIn(ctx)) return held.call;
  return undefined;
}

/**
 * Emits a process warning if a wait for a connection of `pool` may have been a wait for the caller
 * itself. Call it in a `catch` of the promise that the caller awaits, after `ctx` has ended the wait. The
 * caller gets `ctx.err()`, which other callers share, so it cannot say this.
 */
export function explainWait(pool: object, ctx: Context): void {
  const call = holderOf(pool, ctx);
  if (call === undefined) return;
  const [method = call] = call.split("(");
  const site = recordStack();
  warnOnce(
    "EIGHTYSIX_WAITS_FOR_ITSELF",
    `a call waited for a connection until its context ended, while ${call} of the same context held one and ran nothing on it. If the function of ${method} waits for that call, it waits for itself: use what the function was given there, or allow the pool more connections`,
    framesOf(site),
    programStack(site) ?? framesOf(site),
  );
}

function framesOf({ stack = "" }: Error): string {
  return stack.split("\n").slice(1).join("\n");
}
