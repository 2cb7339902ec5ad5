// `npm run soak:poolers -- --cancels 500` cancels queries through poolers that close the connection of a
// cancel request before they forward it, and prints how many other queries were hit, for each `onCancel`.
// The exit status is 1 if there is a victim in session mode with another `onCancel` than "reuse".
import { parseArgs } from "node:util";
import { count, runTests, table } from "./soaking.js";

const all = ["reuse", "destroy", "auto"];
const usage = `npm run soak:poolers -- [options]
  --cancels=<n>    how many contexts are canceled for each figure; 500 by default
  --seed=<n>       repeats the run that printed it
  --only=<names>   e.g. --only=auto; there are: ${all.join(", ")}`;

const { values } = parseArgs({
  options: {
    cancels: { type: "string", default: "500" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    only: { type: "string", default: all.join(",") },
    help: { type: "boolean", default: false },
  },
});
const [cancels, seed] = [Number(values.cancels), Number(values.seed)];
const only = values.only.split(",");
if (
  values.help ||
  !(cancels >= 1) ||
  !Number.isInteger(seed) ||
  only.some((n) => !all.includes(n))
) {
  console.log(usage);
  process.exit(values.help ? 0 : 2);
}

console.log(`seed ${seed}: npm run soak:poolers -- --cancels ${cancels} --seed ${seed}`);
/** @type {string[]} */
const failures = [];
for (const onCancel of only) {
  const { status, output, told } = await runTests({
    files: ["test/poolers/victims.test.ts"],
    timeout: 60_000 + cancels * 500,
    env: {
      EIGHTYSIX_TEST_CANCELS: String(cancels),
      EIGHTYSIX_TEST_SEED: String(seed),
      EIGHTYSIX_TEST_ON_CANCEL: onCancel,
    },
  });
  if (status !== "ok") failures.push(`${onCancel}: ${status}\n${output}`);
  const drivers = [...new Set(told.map(({ driver }) => driver))];
  console.log(`\nonCancel: "${onCancel}", ${status}: victims (connections)`);
  const row = table(["", ...drivers], 38);
  for (const behavior of new Set(told.map((cell) => cell.behavior))) {
    const cells = drivers.map((driver) =>
      told.find((cell) => cell.behavior === behavior && cell.driver === driver),
    );
    row([
      behavior,
      ...cells.map((cell) => (cell ? `${count(cell.victims)} (${count(cell.connections)})` : "–")),
    ]);
  }
}
for (const failure of failures) console.error(`\n${failure}`);
if (failures.length > 0) process.exitCode = 1;
