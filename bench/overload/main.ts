/**
 * `npm run bench:overload`: why cancellation alone is not enough under overload. See ../README.md.
 */
import { parseArgs } from "node:util";
import { aboutRun, heading } from "../report/about.ts";
import { arms } from "./arms.ts";
import { table, warnings, type Measured } from "./report.ts";
import { run, type Outcome } from "./run.ts";

const RATES = [60, 120, 200];

const usage = `npm run bench:overload -- [options]
  --quick   one short round, for development only
  --json    print the figures of all rounds as JSON`;
const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(usage);
  process.exit(0);
}
const [rounds, ms] = values.quick ? [1, 2_000] : [3, 8_000];

const measured: Measured[] = RATES.flatMap((rate) =>
  arms.map(({ name }) => ({ rate, arm: name, outcomes: [] as Outcome[] })),
);
// The arms take turns, so that a disturbance of the machine affects all of them.
for (let round = 1; round <= rounds; round++) {
  for (const [i, { rate, arm, outcomes }] of measured.entries()) {
    process.stderr.write(`round ${round} of ${rounds}, ${rate}/s, ${arm} …\n`);
    outcomes.push(await run(i % arms.length, { rate, ms, seed: round }));
  }
}

const about = aboutRun([`Node ${process.versions.node}`], "npm run bench:overload");
if (values.json) {
  console.log(JSON.stringify({ about, measured }, null, 2));
} else {
  console.log(`${heading(about)}
A calls B, whose resource serves one request at a time, 10 ms each. Clients arrive for ${ms / 1e3} s and wait 300 ms. Medians of ${rounds} rounds.

${table(measured)}${warnings(measured)}`);
}
