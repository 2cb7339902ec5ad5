/**
 * Asks a replica for a price, and asks another one when the first is slow. The slow one is canceled,
 * and its receipt says so.
 *
 * prints: 42 from replica 2
 * prints: hedge, attempt 1: stopped (canceled)
 */
import { background, hedge, sleep, stopped, withLedger, type Context } from "eightysix";

/** One object for all calls of the service: `extraShare` counts by object. */
const policy = { after: 50, max: 2, extraShare: 0.5 };

const delays = [0, 0, 60_000, 0]; // the third call is slow
let calls = 0;

/** Asks the next replica. It only reads, so it may be asked twice. */
async function priceOf(ctx: Context, item: string): Promise<string> {
  const call = calls++;
  await sleep(ctx, delays[call] ?? 0);
  return `${item.length} from replica ${(call % 2) + 1}`;
}

const ctx = withLedger(background());
const item = "a".repeat(42);
for (let i = 0; i < 3; i++) {
  const price = await hedge(ctx, (ctx) => priceOf(ctx, item), policy);
  if (i === 2) console.log(price);
}
for (const { kind, what, state, reason } of await stopped(ctx))
  console.log(`${kind}, ${what}: ${state} (${reason})`);
