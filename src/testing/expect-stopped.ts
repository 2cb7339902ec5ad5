import type { Context, Receipt } from "../index.ts";
import { checkContext, checkDuration, checkOptions, ledgerOf, recordStack } from "../internal.ts";
import { describeAbandoned, describeRunning } from "./describe-work.ts";
import { developmentHint, failure, list } from "./failure.ts";
import { poll } from "./real-time.ts";

/** How long the test kit waits for work to stop, in milliseconds. Less than the timeouts of test runners. */
export const WITHIN = 3_000;

/**
 * Waits until all work in the nearest ledger at or above `ctx` has ended, and returns the receipts of the
 * work that was running when its context ended. Every receipt says "stopped".
 *
 * Rejects if work still runs after `within` milliseconds of real time (default 3,000), or if work was
 * abandoned. The error names the kind of the work, what it was and how long it ran on; in development
 * mode also the code that started it. Rejects with a TypeError if no context at or above `ctx` has a
 * ledger, because nothing would be recorded.
 *
 * @example
 * const ctx = testContext(t);
 * const client = withCancel(ctx);
 * const answer = report(client);
 * client.cancel(new Error("the client has left"));
 * await expect(answer).rejects.toThrow();
 * const [receipt] = await expectStopped(ctx);
 * expect(receipt.kind).toBe("pg.query");
 */
export async function expectStopped(
  ctx: Context,
  options?: { within?: number },
): Promise<Receipt[]> {
  checkContext(ctx, "expectStopped");
  checkOptions(options, "expectStopped", ["within"]);
  const { within = WITHIN } = options ?? {};
  checkDuration(within, "expectStopped");
  const site = recordStack();
  const ledger = ledgerOf(ctx);
  if (ledger === undefined) {
    throw new TypeError(
      "expectStopped needs a context with a ledger, and found none; pass testContext(t), the context of a request, or a child of withLedger(ctx)",
    );
  }
  await poll(() => ledger.running.length === 0, within);
  const running = ledger.running.map(describeRunning);
  const abandoned = ledger.receipts.filter(({ state }) => state !== "stopped");
  const wrong = [...running, ...abandoned.map(describeAbandoned)];
  if (wrong.length > 0) {
    const time = running.length > 0 ? ` within ${within} ms` : "";
    const message = `${wrong.length === 1 ? "one piece of work has" : `${wrong.length} pieces of work have`} not stopped${time}:\n${list(wrong)}`;
    throw failure(message + developmentHint(), site);
  }
  return [...ledger.receipts];
}
