/**
 * Three requests ask for the same report at the same time. It is computed once. The request that
 * asked first leaves, and the others still get the report. When all who wait have left, the
 * computation stops.
 *
 * prints: computing the report of May for request 1
 * prints: request 1: AbortError: context canceled
 * prints: request 2: 42 orders
 * prints: request 3: 42 orders
 * prints: computing the report of June for request 4
 * prints: the report of June stopped: TimeoutError: context deadline exceeded
 * prints: request 4: TimeoutError: context deadline exceeded
 */
import {
  background,
  key,
  SingleFlight,
  sleep,
  withCancel,
  withTimeout,
  withValue,
  type Context,
} from "eightysix";

const RequestId = key<number>("requestId");
const reports = new SingleFlight<string, string>();

function report(ctx: Context, month: string): Promise<string> {
  return reports.do(ctx, month, (ctx) => compute(ctx, month));
}

async function compute(ctx: Context, month: string): Promise<string> {
  console.log(`computing the report of ${month} for request ${ctx.value(RequestId)}`);
  try {
    await sleep(ctx, month === "May" ? 50 : 60_000); // stands for a slow query
  } catch (error) {
    console.log(`the report of ${month} stopped: ${String(error)}`);
    throw error;
  }
  return "42 orders";
}

/** Stands for a handler. */
async function request(parent: Context, id: number, month: string): Promise<void> {
  const ctx = withValue(parent, RequestId, id);
  const text = await report(ctx, month).catch(String);
  console.log(`request ${id}: ${text}`);
}

using client = withCancel(background());
const open = [
  request(client, 1, "May"),
  request(background(), 2, "May"),
  request(background(), 3, "May"),
];
client.cancel();
await Promise.all(open);

using ctx = withTimeout(background(), 20);
await request(ctx, 4, "June");
