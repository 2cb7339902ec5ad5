/** Proof of stop: what is being done for a context, and when it really ended. */
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

/** One piece of work in progress, such as a query. */
export interface WorkInfo {
  /** What sort of work, as "pg.query". */
  readonly kind: string;
  /** Which one, for people: the SQL text, a URL without its query. */
  readonly what: string | undefined;
  /** Milliseconds since it started. */
  readonly running: number;
}

/** What became of work whose context was done before it had ended. */
export interface Receipt {
  readonly kind: string;
  readonly what: string | undefined;
  /** How long it had run when its context was done, in milliseconds. */
  readonly ran: number;
  /** "abandoned": its connection or thread was given up, so nobody can say when it stopped. */
  readonly state: "stopped" | "running" | "abandoned";
  /** Milliseconds between its context's end and its own; so far, while it is still running. */
  readonly after: number;
  /** How its context ended; "finished" is no cancellation. */
  readonly reason: EndKind;
}

/** Returned by `startWork`. */
export interface Work {
  /**
   * The work is over, successful or not, on the other side too; or it is "abandoned", when it was let
   * go of without knowing. Idempotent.
   */
  end(state?: "stopped" | "abandoned"): void;
}

/** Old receipts make way: a ledger is for one request, but nobody stops a job from living for ever. */
const MOST_RECEIPTS = 1_000;

/** The live work and the receipts of one request. Its sets are made when needed: every request has a ledger. */
class Ledger {
  readonly receipts: Receipt[] = [];
  #live: Set<LedgerWork> | undefined;
  #waiting: Set<() => void> | undefined;

  get live(): Set<LedgerWork> {
    return (this.#live ??= new Set());
  }

  close(work: LedgerWork, receipt: Receipt | undefined): void {
    this.live.delete(work);
    if (receipt !== undefined) {
      this.receipts.push(receipt);
      if (this.receipts.length > MOST_RECEIPTS) this.receipts.shift();
    }
    if (this.live.size > 0) return;
    for (const wake of this.#waiting ?? []) wake();
  }

  /** Resolves when no work is live, or after `within` milliseconds. */
  async idle(within: number): Promise<void> {
    if (this.live.size === 0) return;
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
  #over = false;

  constructor(
    scope: Scope | undefined,
    ledger: Ledger | undefined,
    kind: string,
    what: string | undefined,
  ) {
    this.kind = kind;
    this.what = what;
    this.#scope = scope;
    this.#ledger = ledger;
    // Receipts compare times, so this end must have one.
    if (scope !== undefined) dependOn(scope);
    ledger?.live.add(this);
    started.publish(this);
  }

  get running(): number {
    return now() - this.#startedAt;
  }

  end(state: "stopped" | "abandoned" = "stopped"): void {
    if (this.#over) return;
    this.#over = true;
    const receipt = this.receipt(state);
    this.#ledger?.close(this, receipt);
    if (ended.hasSubscribers) ended.publish({ work: this, receipt });
  }

  receipt(state: Receipt["state"]): Receipt | undefined {
    const end = this.#scope && endOf(this.#scope);
    if (end === undefined) return undefined;
    const { kind, what } = this;
    // Work that began after the end counts from its own beginning; nobody may have timed that end.
    const since = Math.max(end.at, this.#startedAt);
    const ran = since - this.#startedAt;
    return { kind, what, ran, state, after: Math.max(0, now() - since), reason: end.kind };
  }
}

const nothing: Work = { end: () => undefined };

// On the global, so that a request started by one copy of the package sees the other's work.
const SHARED = Symbol.for("eightysix.ledger.1");
const shared = globalThis as { [SHARED]?: Key<Ledger> };
const LedgerKey = (shared[SHARED] ??= key<Ledger>("ledger", { secret: true }));

/** A context that keeps a ledger of the work done under it. `eightysix/http` makes one per request. */
export function withLedger(parent: Context): Context {
  checkContext(parent, "withLedger");
  return withValue(parent, LedgerKey, new Ledger());
}

/**
 * Says that work begins for `ctx`: for those who write integrations. Call `end()` when it is over
 * on the other side as well, in every case. Next to nothing without a ledger above and without a
 * subscriber to `eightysix:work.start` or `eightysix:work.end`.
 */
export function startWork(ctx: Context, kind: string, what?: string): Work {
  checkContext(ctx, "startWork");
  if (typeof kind !== "string")
    throw new TypeError(`startWork takes a kind such as "pg.query", got ${show(kind)}`);
  const ledger = ctx.value(LedgerKey);
  if (ledger === undefined && !started.hasSubscribers && !ended.hasSubscribers) return nothing;
  return new LedgerWork(scopeOf(ctx), ledger, kind, what);
}

/** The work in progress under the nearest ledger, oldest first; empty without one. */
export function working(ctx: Context): WorkInfo[] {
  checkContext(ctx, "working");
  const ledger = ctx.value(LedgerKey);
  return ledger === undefined ? [] : [...ledger.live];
}

/**
 * Resolves when all work under the nearest ledger has ended, with a receipt for each piece that
 * its context outlived not: stopped, and how long after. With `within` (milliseconds) it gives up
 * waiting then, and lists what is still running as such. Never rejects; empty without a ledger.
 */
export async function stopped(ctx: Context, options?: { within?: number }): Promise<Receipt[]> {
  checkContext(ctx, "stopped");
  checkOptions(options, "stopped", ["within"]);
  const { within = Infinity } = options ?? {};
  checkDuration(within, "stopped");
  const ledger = ctx.value(LedgerKey);
  if (ledger === undefined) return [];
  await ledger.idle(within);
  const running = [...ledger.live]
    .map((work) => work.receipt("running"))
    .filter((r) => r !== undefined);
  return [...ledger.receipts, ...running];
}
