// `npm run soak:http -- --requests 50000` lets clients that leave, stall and pipeline at random loose on
// every framework. It prints a table of how their requests ended and of what was left behind. Each
// framework has a process of its own, one after the other. The exit status is 1 if a test fails.
import { parseArgs } from "node:util";
import { count, runTests, table } from "./soaking.js";

/** The names for `--only`, and their tests in src/http/soak.test.ts. */
const frameworks = {
  handler: "handler",
  http2: "handler over HTTP/2",
  express: "Express 5",
  express4: "Express 4",
  "express-middleware": "Express 5 with the usual middleware",
  "express4-middleware": "Express 4 with the usual middleware",
  fastify: "Fastify 5",
  koa: "Koa 3",
  hono: "Hono 4 on @hono/node-server",
  "hono-fetch": "Hono 4 as fetch",
  web: "fetch handlers",
};
const usage = `npm run soak:http -- [options]
  --requests=<n>   how many for each framework; 20000 by default
  --seed=<n>       repeats the run that printed it
  --only=<names>   e.g. --only=fastify,koa`;

const { values } = parseArgs({
  options: {
    requests: { type: "string", default: "20000" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    only: { type: "string", default: "" },
    help: { type: "boolean", default: false },
  },
});
const [requests, seed] = [Number(values.requests), Number(values.seed)];
const only = values.only.split(",").filter((name) => name !== "");
const unknown = only.find((name) => !(name in frameworks));
if (values.help || !(requests >= 1) || !Number.isInteger(seed) || unknown !== undefined) {
  console.log(`${usage}\nThere are: ${Object.keys(frameworks).join(", ")}`);
  process.exit(values.help ? 0 : 2);
}

console.log(`seed ${seed}: npm run soak:http -- --requests ${requests} --seed ${seed}\n`);
const left = ["FIN", "RST", "half-close", "stayed"];
const found = ["disconnected", "noticed", "missed", "open", "held", "timers", "listeners"];
const row = table(["", "requests", ...left, ...found, "heap, MB", "seconds", ""], 27);
/** @param {number} bytes */
const mega = (bytes) => (bytes / 2 ** 20).toFixed(1);
/** @type {string[]} */
const failures = [];
for (const [name, test] of Object.entries(frameworks)) {
  if (only.length > 0 && !only.includes(name)) continue;
  const began = performance.now();
  const { status, output, told } = await runTests({
    files: ["src/http/soak.test.ts"],
    tests: `^${test}:`,
    timeout: 600_000 + requests * 50,
    env: { EIGHTYSIX_TEST_REQUESTS: String(requests), EIGHTYSIX_TEST_SEED: String(seed) },
  });
  const seconds = Math.round((performance.now() - began) / 1_000);
  const [account] = told;
  const cells =
    account &&
    [
      ...[account.requests, account.FIN, account.RST, account.halfClose, account.stayed],
      ...[account.disconnected, account.noticed, account.missed, account.contextsOpen],
      ...[account.contextsHeld, account.timers.length, account.listenersMore],
    ].map(count);
  const heap = account && account.heap.map(mega).join(" to ");
  row([test, ...(cells ?? Array(12).fill("–")), heap ?? "–", seconds, status]);
  if (status !== "ok") failures.push(`${test}:\n${output}`);
}
for (const failure of failures) console.error(`\n${failure}`);
if (failures.length > 0) process.exitCode = 1;
