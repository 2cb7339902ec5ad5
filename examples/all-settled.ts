/**
 * Asks three services within 100 ms, and shows what has arrived by then.
 *
 * prints: prices: 3 for tea
 * prints: stock: missing (Error: 503)
 * prints: reviews: missing (TimeoutError: context deadline exceeded)
 */
import { allSettled, background, sleep, withTimeout } from "eightysix";

using ctx = withTimeout(background(), 100);
const outcomes = await allSettled(ctx, [
  async (ctx) => {
    await sleep(ctx, 10);
    return "3 for tea";
  },
  () => Promise.reject(new Error("503")),
  async (ctx) => {
    await sleep(ctx, 60_000);
    return "five stars";
  },
]);

for (const [i, name] of ["prices", "stock", "reviews"].entries()) {
  const outcome = outcomes[i];
  if (outcome?.status === "fulfilled") console.log(`${name}: ${outcome.value}`);
  else console.log(`${name}: missing (${String(outcome?.reason)})`);
}
