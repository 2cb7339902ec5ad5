/** The ledger of a request: how it is created and found, how work is recorded in it, and how it is read. */
import { checkContext } from "../core/check-context.ts";
import { checkDuration, checkOptions } from "../core/check.ts";
import type { Context } from "../core/context.ts";
import { withValue } from "../core/derive.ts";
import { scopeOf } from "../core/foreign.ts";
import { show } from "../core/show.ts";
import { key, type Key } from "../core/values.ts";
import { callSite } from "./call-site.ts";
import { isObserved, Ledger, LedgerWork } from "./record.ts";
import { watchScope } from "./outlived-scope.ts";
import type { Receipt, Work, WorkInfo } from "./types.ts";

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
 * once for each call site, and is published on `eightysix:work.left-behind`. In development mode, so
 * does work that is still running when a scope inside its request ends as finished, on
 * `eightysix:work.outlived-scope`.
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
  if (ledger === undefined && !isObserved()) return unrecorded;
  const site = callSite(ctx);
  const work = new LedgerWork(scopeOf(ctx), ledger, kind, what, site);
  if (site !== undefined) work.onEnd = watchScope(ctx, work, site);
  return work;
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
