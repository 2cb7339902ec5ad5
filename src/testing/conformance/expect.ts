/** What the tests of the kit check about one operation. */
import { stopped, working, type Context, type Receipt } from "../../index.ts";
import { show, type Running } from "./stage.ts";
import { limited, type Outcome } from "./time.ts";

/** Milliseconds for an operation to settle after its stop. */
const SETTLE_LIMIT = 5_000;

/** Throws an error with this message if the condition does not hold. */
export function check(condition: boolean, message: string, cause?: unknown): asserts condition {
  if (!condition) throw new Error(message, { cause });
}

/** Resolves with how an operation ended whose context is done. */
export async function settled(name: string, { outcome }: Pick<Running, "outcome">) {
  return await limited(
    `${name} did not settle after its context had ended: \`stop\` must end the operation, and \`destroy\` must be called after the stop timeout`,
    outcome,
    SETTLE_LIMIT,
  );
}

/** The operation must have rejected with the context's own error. */
export function expectContextError(name: string, outcome: Outcome, ctx: Context): void {
  check(
    "error" in outcome && outcome.error === ctx.err(),
    `${name} whose context ended must reject with ctx.err(), the same object, but ${show(outcome)}: \`isStop\` must recognize the server's answer to a stop`,
    "error" in outcome ? outcome.error : undefined,
  );
}

/** Resolves with the receipts of `ctx`, which must be complete when the operation has settled. */
export async function receiptsOf(name: string, ctx: Context): Promise<Receipt[]> {
  const left = working(ctx).map(({ kind }) => kind);
  check(
    left.length === 0,
    `${name} has settled, but the ledger still lists ${left.join(", ")}: end the work before the caller's promise settles`,
  );
  const receipts = await stopped(ctx);
  for (const { kind } of receipts) {
    check(kind !== "", `the receipt of ${name} has an empty \`kind\``);
  }
  return receipts;
}
