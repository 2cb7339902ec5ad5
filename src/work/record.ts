/** The record of the work of one request, and of one piece of work in it. */
import { callAt, now } from "../core/clock.ts";
import { channel } from "../core/channels.ts";
import type { Context } from "../core/context.ts";
import { dependOn, endOf, type Scope } from "../core/tree.ts";
import { OutlivingWork } from "./outliving-work.ts";
import type { Receipt, Work, WorkInfo } from "./types.ts";

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

/** In development mode: where the work of a receipt was started. */
const sites = new WeakMap<Receipt, Error>();

/** Development mode only: an error whose stack leads to the code that started the work of a receipt. */
export function siteOf(receipt: Receipt): Error | undefined {
  return sites.get(receipt);
}

const started = channel("work.start");
const ended = channel("work.end");

/** Returns whether a program subscribes to the start or the end of work. */
export function isObserved(): boolean {
  return started.hasSubscribers || ended.hasSubscribers;
}

/** One piece of work in a ledger, or one that only subscribers see. */
export class LedgerWork implements Work, WorkInfo {
  readonly kind: string;
  readonly what: string | undefined;
  readonly #scope: Scope | undefined;
  readonly #ledger: Ledger | undefined;
  readonly #startedAt = now();
  readonly #site: Error | undefined;
  #hasEnded = false;
  /** Development mode only: called at the end. */
  onEnd: ((state: "stopped" | "abandoned") => void) | undefined;

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

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  end(state: "stopped" | "abandoned" = "stopped"): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.onEnd?.(state);
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
    const after = Math.max(0, now() - since);
    const receipt: Receipt = { kind, what, ran, state, after, reason: end.kind };
    if (this.#site !== undefined) sites.set(receipt, this.#site);
    return receipt;
  }
}
