/**
 * Asks a replica for a price, and asks another one when the first is slow. The slow one is canceled,
 * and its receipt says so.
 *
 * prints: tea costs 3, says replica 2
 * prints: hedge, attempt 1: stopped (canceled)
 */
import { background, hedge, sleep, stopped, withLedger, type Context } from "eightysix";

/** One object for all calls of the service: `extraShare` counts by object. */
const policy = { after: 50, max: 2, extraShare: 0.5 };

const delays = [0, 0, 60_000, 0]; // milliseconds; the third request is slow
let calls = 0;

/** Asks the next of two replicas. It only reads, so a second attempt does no harm. */
async function priceOf(ctx: Context, item: string): Promise<string> {
  const call = calls++;
  await sleep(ctx, delays[call] ?? 0);
  return `${item} costs 3, says replica ${(call % 2) + 1}`;
}

const ctx = withLedger(background());
let answer = "";
for (let i = 0; i < 3; i++) answer = await hedge(ctx, (ctx) => priceOf(ctx, "tea"), policy);
console.log(answer);
for (const { kind, what, state, reason } of await stopped(ctx))
  console.log(`${kind}, ${what}: ${state} (${reason})`);
