/**
 * A handler calls a slow upstream service, and gives it one second. After that, the client gets
 * 503. If the client leaves earlier, the call ends at once. In both cases the upstream stops.
 *
 * prints: handler: 503, context deadline exceeded
 * prints: patient client: 503 after 1 s
 * prints: upstream: stopped after 1 s, the client has gone
 * prints: impatient client: left
 * prints: handler: 499, context canceled, the client has gone
 * prints: upstream: stopped after 0 s, the client has gone
 */
import { once } from "node:events";
import { createServer } from "node:http";
import { cause, sleep, withTimeout } from "eightysix";
import { handler } from "eightysix/http";

const front = createServer(
  handler(
    async (ctx, _req, res) => {
      const limited = withTimeout(ctx, 1_000); // ends with ctx, or after one second
      try {
        res.end(await fetchData(limited));
      } finally {
        limited[Symbol.dispose](); // `using limited = …` would call this
      }
    },
    {
      onError: (_ctx, error, _req, res) => console.log(`handler: ${res.statusCode}, ${why(error)}`),
    },
  ),
);

/**
 * Every API that takes an AbortSignal takes `ctx.signal`.
 *
 * @param {import("eightysix").Context} ctx
 */
async function fetchData(ctx) {
  const answer = await fetch(urlOf(upstream), { signal: ctx.signal });
  return answer.text();
}

/** Stands for another team's service, which needs three seconds. */
const upstream = createServer(
  handler(async (ctx, _req, res) => {
    const start = performance.now();
    try {
      await sleep(ctx, 3_000);
      res.end("data");
    } finally {
      upstream.emit("stopped", `stopped after ${secondsSince(start)} s, ${why(cause(ctx))}`);
    }
  }),
);

await once(upstream.listen(0, "127.0.0.1"), "listening");
await once(front.listen(0, "127.0.0.1"), "listening");

for (const patience of [10_000, 200]) {
  const client = patience > 1_000 ? "patient" : "impatient";
  const stopped = once(upstream, "stopped");
  const start = performance.now();
  try {
    const answer = await fetch(urlOf(front), { signal: AbortSignal.timeout(patience) });
    console.log(`${client} client: ${answer.status} after ${secondsSince(start)} s`);
    await answer.text();
  } catch {
    console.log(`${client} client: left`);
  }
  console.log(`upstream: ${String(await stopped)}`);
}

for (const server of [front, upstream]) {
  server.close();
  server.closeAllConnections();
}

/** @param {import("node:http").Server} server */
function urlOf(server) {
  const address = /** @type {import("node:net").AddressInfo} */ (server.address());
  return `http://127.0.0.1:${address.port}`;
}

/** @param {number} start */
function secondsSince(start) {
  return Math.floor((performance.now() - start) / 1_000);
}

/**
 * Returns the message of an error, followed by those of its causes.
 *
 * @param {unknown} error
 * @returns {string}
 */
function why(error) {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}, ${why(error.cause)}`;
}
