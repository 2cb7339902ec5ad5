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
import { background, key, withValue, type Context } from "eightysix";

/**
 * The key has the type of its value, and equals only itself. Keep it private to its module, and
 * export functions that use it: then no other code can set the value.
 */
const TraceId = key<string>("traceId", { default: "no trace" });

function log(ctx: Context, text: string): void {
  console.log(`[${ctx.value(TraceId)}] ${text}`);
}

async function handle(parent: Context, traceId: string, order: number): Promise<void> {
  const ctx = withValue(parent, TraceId, traceId);
  log(ctx, `handler: order ${order}`);
  log(ctx, `handler: ${await findOrder(ctx, order)}`);
}

async function findOrder(ctx: Context, id: number): Promise<string> {
  await nextTurn();
  log(ctx, `service: looking for order ${id}`);
  return (await load(ctx, id)) ?? "no such order";
}

async function load(ctx: Context, id: number): Promise<string | undefined> {
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
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
