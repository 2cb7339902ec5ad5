/**
 * Passes a trace id through three layers, in the context and not as a parameter. Two requests that
 * run at the same time do not mix their ids.
 *
 * prints: [t-1] handler: order 7
 * prints: [t-2] handler: order 8
 * prints: [t-1] service: looking for order 7
 * prints: [t-2] service: looking for order 8
 * prints: [t-1] store: reads row 7
 * prints: [t-1] handler: 2 glasses
 * prints: [t-2] store: reads row 8
 * prints: [t-2] handler: 1 plate
 * prints: [no trace] store: reads row 7
 */
import { background, key, withValue } from "eightysix";

/**
 * A key equals only itself. Keep it private to its module, and export functions that use it: then
 * no other code can set the value.
 */
const TraceId = key("traceId", { default: "no trace" });

/** @param {import("eightysix").Context} ctx @param {string} text */
function log(ctx, text) {
  console.log(`[${ctx.value(TraceId)}] ${text}`);
}

/** @param {import("eightysix").Context} parent @param {string} traceId @param {number} order */
async function handle(parent, traceId, order) {
  const ctx = withValue(parent, TraceId, traceId);
  log(ctx, `handler: order ${order}`);
  log(ctx, `handler: ${await findOrder(ctx, order)}`);
}

/** @param {import("eightysix").Context} ctx @param {number} id */
async function findOrder(ctx, id) {
  await nextTurn();
  log(ctx, `service: looking for order ${id}`);
  return (await load(ctx, id)) ?? "no such order";
}

/** @param {import("eightysix").Context} ctx @param {number} id */
async function load(ctx, id) {
  await nextTurn();
  log(ctx, `store: reads row ${id}`);
  return orders.get(id);
}

const orders = new Map([
  [7, "2 glasses"],
  [8, "1 plate"],
]);

await Promise.all([handle(background(), "t-1", 7), handle(background(), "t-2", 8)]);
await load(background(), 7); // no value was set: the log shows the default of the key

/** Stands for a database call: another request runs meanwhile. */
function nextTurn() {
  return new Promise((resolve) => setImmediate(resolve));
}
