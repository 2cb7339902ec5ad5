/** How outliving work is recorded, and what integrations see of it. */
import { afterFunc } from "../core/after-func.ts";
import type { Context } from "../core/context.ts";
import { isDeadlineExceeded } from "../core/errors.ts";
import { ledgerOf, ledgersOf } from "./ledger.ts";
import type { Outliving, OutlivingWork } from "./outliving-work.ts";

/**
 * Records that work runs under `inner` on behalf of `ctx`, in all ledgers at and above `ctx`. The
 * work counts until `inner` is done: its function has settled, or its budget has passed.
 */
export function outlive(ctx: Context, inner: Context, kind: Outliving["kind"]): void {
  const ledgers = ledgersOf(ctx);
  if (ledgers.size === 0) return;
  const work: Outliving = { kind };
  for (const { outliving } of ledgers) outliving.begin(work);
  afterFunc(inner, (err) => {
    for (const { outliving } of ledgers) outliving.end(work, isDeadlineExceeded(err));
  });
}

/** The functions of `shield` of one request. */
export interface Shields {
  /**
   * How many are running. A function counts until it has settled or its budget has passed, which
   * are both noticed a microtask later.
   */
  readonly running: number;
  /** Whether one has begun, so that the request may have changed something. */
  readonly hasBegun: boolean;
  /** Resolves when none is running, at once if none is. Never rejects. */
  settled(): Promise<void>;
}

const NO_SHIELDS: Shields = { running: 0, hasBegun: false, settled: () => Promise.resolve() };

/**
 * Returns the functions of `shield` that the program has started under a request. `ctx` is the
 * request's own context. Those of `detach`, and the cleanup of adapters such as a ROLLBACK, do not
 * count.
 *
 * @example
 * if (shieldsOf(ctx).running > 0) await shieldsOf(ctx).settled();
 */
export function shieldsOf(ctx: Context): Shields {
  const ledger = ledgerOf(ctx);
  return ledger === undefined ? NO_SHIELDS : new LedgerShields(ledger.outliving);
}

class LedgerShields implements Shields {
  readonly #outliving: OutlivingWork;

  constructor(outliving: OutlivingWork) {
    this.#outliving = outliving;
  }

  get running(): number {
    return this.#outliving.shields;
  }

  get hasBegun(): boolean {
    return this.#outliving.hasShielded;
  }

  settled(): Promise<void> {
    if (this.running === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const stop = this.#outliving.onEnd(() => {
        if (this.running > 0) return;
        stop();
        resolve();
      });
    });
  }
}
