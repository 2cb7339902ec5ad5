/** The ledger of a request: which work runs under a context, and when that work really ended. */
import { checkContext } from "../core/check-context.ts";
import { checkDuration, checkOptions } from "../core/check.ts";
import { callAt, now } from "../core/clock.ts";
import { channel } from "../core/channels.ts";
import type { Context } from "../core/context.ts";
import { withValue } from "../core/derive.ts";
import type { EndKind } from "../core/end.ts";
import { scopeOf } from "../core/foreign.ts";
import { show } from "../core/show.ts";
import { dependOn, endOf, type Scope } from "../core/tree.ts";
import { key, type Key } from "../core/values.ts";
import { callSite } from "./call-site.ts";
import { OutlivingWork } from "./outliving-work.ts";

/** One piece of work that is running, such as a query. */
export interface WorkInfo {
  /** The kind of work, such as "pg.query". */
  readonly kind: string;
  /** A description for people, such as the SQL text, or a URL without its query. */
  readonly what: string | undefined;
  /** Milliseconds since the work started. */
  readonly running: number;
}

/**
 * The record of one piece of work that was running when its context ended.
 *
 * @example
 * for (const { kind, state, after } of await stopped(ctx)) {
 *   console.log(`${kind}: ${state} after ${after} ms`); // pg.query: stopped after 18 ms
 * }
 */
export interface Receipt {
  /** The kind of work, such as "pg.query". */
  readonly kind: string;
  /** A description for people, such as the SQL text. */
  readonly what: string | undefined;
  /** How long the work had run when its context ended, in milliseconds. */
  readonly ran: number;
  /**
   * - "stopped": the work has ended on the other side as well.
   * - "running": the work is still running.
   * - "abandoned": its connection or thread was given up before the other side confirmed the stop.
   */
  readonly state: "stopped" | "running" | "abandoned";
  /**
   * Milliseconds from the end of the context to the end of the work, or until now if it is still
   * running.
   */
  readonly after: number;
  /** How the context ended. "finished" does not count as a cancellation. */
  readonly reason: EndKind;
}

/** A piece of work that `startWork` has recorded. */
export interface Work {
  /**
   * Records that the work has ended on the other side too, successfully or not. If the caller gave
   * the work up without a confirmation, pass "abandoned". Only the first call counts.
   */
  end(state?: "stopped" | "abandoned"): void;
}

const NO_WORK: readonly LedgerWork[] = [];

/** The most receipts that a ledger keeps. It drops the oldest, because a job can live for ever. */
const MOST_RECEIPTS = 1_000;

/**
 * The running work and the receipts of one request. Its sets are created on first use, because
 * every request has a ledger.
 */
export class Ledger {
  readonly receipts: Receipt[] = [];
  /** The ledger around this one, if there is one. */
  readonly outer: Ledger | undefined;
  /** The ledger of the server, if it is not above `outer`. */
  readonly server: Ledger | undefined;
  /** What a server does with the errors of `detach`. */
  onDetachedError: ((ctx: Context, error: unknown) => unknown) | undefined;
  #live: Set<LedgerWork> | undefined;
  #waiting: Set<() => void> | undefined;
  #outliving: OutlivingWork | undefined;

  constructor(outer: Ledger | undefined, server: Ledger | undefined) {
    this.outer = outer;
    this.server = server;
  }

  /** The work that goes on after the end of its context. It is not part of `live`. */
  get outliving(): OutlivingWork {
    return (this.#outliving ??= new OutlivingWork());
  }

  /** The work that is running. */
  get live(): Set<LedgerWork> {
    return (this.#live ??= new Set());
  }

  /** A copy of `live`. */
  get running(): readonly LedgerWork[] {
    return this.#live === undefined ? NO_WORK : [...this.#live];
  }

  /** Removes work that has ended, and records its receipt. */
  close(work: LedgerWork, receipt: Receipt | undefined): void {
    this.live.delete(work);
    if (receipt !== undefined) {
      this.receipts.push(receipt);
      if (this.receipts.length > MOST_RECEIPTS) this.receipts.shift();
    }
    if (this.live.size > 0) return;
    for (const wake of this.#waiting ?? []) wake();
  }

  /** Resolves when no work is running, or after `within` milliseconds. */
  async idle(within: number): Promise<void> {
    if ((this.#live?.size ?? 0) === 0) return;
    let clear: (() => void) | undefined;
    let wake: (() => void) | undefined;
    await new Promise<void>((resolve) => {
      (this.#waiting ??= new Set()).add((wake = resolve));
      if (within < Infinity) clear = callAt(now() + within, resolve, true);
    });
    clear?.();
    if (wake !== undefined) this.#waiting?.delete(wake);
  }
}

const started = channel("work.start");
const ended = channel("work.end");

class LedgerWork implements Work, WorkInfo {
  readonly kind: string;
  readonly what: string | undefined;
  readonly #scope: Scope | undefined;
  readonly #ledger: Ledger | undefined;
  readonly #startedAt = now();
  readonly #site: Error | undefined;
  #hasEnded = false;

  constructor(
    scope: Scope | undefined,
    ledger: Ledger | undefined,
    kind: string,
    what: string | undefined,
    site: Error | undefined,
  ) {
    this.kind = kind;
    this.what = what;
    this.#site = site;
    this.#scope = scope;
    this.#ledger = ledger;
    // A receipt needs the time at which the scope ended.
    if (scope !== undefined) dependOn(scope);
    ledger?.live.add(this);
    started.publish(this);
  }

  get running(): number {
    return now() - this.#startedAt;
  }

  /** Development mode only: an error whose stack leads to the code that started the work. */
  get site(): Error | undefined {
    return this.#site;
  }

  end(state: "stopped" | "abandoned" = "stopped"): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const receipt = this.receipt(state);
    this.#ledger?.close(this, receipt);
    if (ended.hasSubscribers) ended.publish({ work: this, receipt });
  }

  /** Returns the receipt of this work, or `undefined` if its context is live. */
  receipt(state: Receipt["state"]): Receipt | undefined {
    const end = this.#scope && endOf(this.#scope);
    if (end === undefined) return undefined;
    const { kind, what } = this;
    // Work that started after the end counts from its own start. The end may have no time.
    const since = Math.max(end.at, this.#startedAt);
    const ran = since - this.#startedAt;
    return { kind, what, ran, state, after: Math.max(0, now() - since), reason: end.kind };
  }
}

/** The object for work that is not recorded. */
const unrecorded: Work = { end: () => undefined };

// On the global object, so that two copies of the package share the ledger of a request.
const SHARED = Symbol.for("eightysix.ledger.2");
const shared = globalThis as { [SHARED]?: Key<Ledger> };
const LedgerKey = (shared[SHARED] ??= key<Ledger>("ledger", { secret: true }));

/**
 * Returns a child of `parent` that records the work under it in a new ledger. `working` and
 * `stopped` read the ledger. The contexts of `eightysix/http` have one already.
 *
 * @example
 * const job = withCancel(background());
 * const ctx = withLedger(job);
 * void run(ctx);
 * job.cancel();
 * console.log(await stopped(ctx));
 */
export function withLedger(parent: Context): Context {
  checkContext(parent, "withLedger");
  return openLedger(parent);
}

/**
 * Works like `withLedger`. The new ledger lies within that of `parent`, and also within that of
 * `server`, whose values `parent` may not have.
 */
export function openLedger(parent: Context, server?: Context): Context {
  const ledger = new Ledger(parent.value(LedgerKey), server?.value(LedgerKey));
  return withValue(parent, LedgerKey, ledger);
}

/**
 * Returns the nearest ledger at or above `ctx`, if there is one. Contexts of one request have the
 * same ledger.
 */
export function ledgerOf(ctx: Context): Ledger | undefined {
  return ctx.value(LedgerKey);
}

/** Returns the nearest ledger at or above `ctx`, and all ledgers around it. */
export function ledgersOf(ctx: Context): Set<Ledger> {
  const found = new Set<Ledger>();
  const add = (ledger: Ledger | undefined): void => {
    if (ledger === undefined || found.has(ledger)) return;
    found.add(ledger);
    add(ledger.outer);
    add(ledger.server);
  };
  add(ctx.value(LedgerKey));
  return found;
}

/**
 * Records that work starts under `ctx`, for authors of integrations. Always call `end()` on the
 * returned object when the work has ended on the other side as well.
 *
 * `kind` is the kind of work, such as "pg.query". `what` describes it to people. The work is also
 * published on the diagnostics channels `eightysix:work.start` and `eightysix:work.end`. If there
 * is neither a ledger nor a subscriber, a call costs almost nothing.
 *
 * Work that is still running when the response of its request is finished causes a process warning,
 * once for each call site, and is published on `eightysix:work.left-behind`.
 *
 * Throws a TypeError if `kind` is not a string.
 *
 * @example
 * const work = startWork(ctx, "mail.send", recipient);
 * try {
 *   await send(ctx, recipient);
 * } finally {
 *   work.end();
 * }
 */
export function startWork(ctx: Context, kind: string, what?: string): Work {
  checkContext(ctx, "startWork");
  if (typeof kind !== "string")
    throw new TypeError(
      `startWork takes the kind of work, got ${show(kind)}; pass a string such as "pg.query"`,
    );
  const ledger = ctx.value(LedgerKey);
  if (ledger === undefined && !started.hasSubscribers && !ended.hasSubscribers) return unrecorded;
  return new LedgerWork(scopeOf(ctx), ledger, kind, what, callSite(ctx));
}

/**
 * Returns the work that is running, from the nearest ledger at or above `ctx`, oldest first.
 * Without a ledger the list is empty.
 *
 * @example
 * for (const { kind, what, running } of working(ctx)) console.log(kind, what, running);
 */
export function working(ctx: Context): WorkInfo[] {
  checkContext(ctx, "working");
  const ledger = ctx.value(LedgerKey);
  return ledger === undefined ? [] : [...ledger.running];
}

/**
 * Waits until all work in the nearest ledger at or above `ctx` has ended. Returns one receipt for
 * each piece of work that was still running when its context ended. Without a ledger the list is
 * empty.
 *
 * With `within`, it waits at most that many milliseconds. Work that is still running by then, and
 * whose context has ended, gets a receipt with the state "running".
 *
 * Rejects only if an argument is wrong.
 *
 * @example
 * ctx.cancel();
 * for (const { kind, state, after } of await stopped(ctx, { within: 5_000 })) {
 *   console.log(kind, state, after);
 * }
 */
export async function stopped(ctx: Context, options?: { within?: number }): Promise<Receipt[]> {
  checkContext(ctx, "stopped");
  checkOptions(options, "stopped", ["within"]);
  const { within = Infinity } = options ?? {};
  checkDuration(within, "stopped");
  const ledger = ctx.value(LedgerKey);
  if (ledger === undefined) return [];
  await ledger.idle(within);
  const running = ledger.running
    .map((work) => work.receipt("running"))
    .filter((r) => r !== undefined);
  return [...ledger.receipts, ...running];
}
