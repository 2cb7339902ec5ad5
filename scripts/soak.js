// `npm run soak -- --cancels 100000` runs the races of all adapters with so many cancels each, and the
// other random tests. It prints a table of the results. They run one after the other, so that each has
// the machine to itself. The exit status is 1 if a test fails.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { count, home, runTests, table } from "./soaking.js";

const usage = `npm run soak -- [options]
  --cancels=<n>    how many contexts are canceled in each race; 20000 by default
  --seed=<n>       repeats the run that printed it
  --only=<names>   e.g. --only=pg,http`;

/**
 * One run: all tests of these files, or those whose names contain `tests`.
 *
 * @typedef {{ name: string, files: string[], tests?: string }} Suite
 */

/** Random tests that share a file with others. @type {Suite[]} */
const others = [
  { name: "duckdb", files: ["src/duckdb/index.test.ts"], tests: "never hit" },
  { name: "libsql", files: ["src/libsql/index.test.ts"], tests: "never hit" },
  { name: "redis", files: ["test/redis.test.ts"], tests: "race a push" },
  { name: "core", files: ["src/core/model.test.ts"] },
];

/** A call of the race in test/support/race.ts, of an adapter's own race, or of the conformance kit. */
const A_RACE = /(?<![.\w])(race|describeRace|holdAdapter)(<\w.*>)?\(/;

/** The titles of the races, which share their files with other tests of the conformance kit. */
const A_TITLE = "late cancel|wrong victim|race a push|never hit";

/** @returns {Suite[]} */
function suites() {
  /** @type {Suite[]} */
  const found = [];
  for (const name of readdirSync(join(home, "src")).sort()) {
    const folder = `src/${name}`;
    if (!existsSync(join(home, folder, "index.ts"))) continue;
    const files = readdirSync(join(home, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".test.ts"))
      .map((file) => `${folder}/${file}`)
      .filter((file) => A_RACE.test(readFileSync(join(home, file), "utf8")));
    if (files.length === 0) continue;
    const isHeld = files.includes(`${folder}/conformance.test.ts`);
    found.push(isHeld ? { name, files, tests: A_TITLE } : { name, files });
  }
  for (const suite of others.filter(({ files }) =>
    files.every((file) => existsSync(join(home, file))),
  )) {
    const same = found.find(({ name }) => name === suite.name);
    if (same === undefined) found.push(suite);
    else same.files.push(...suite.files.filter((file) => !same.files.includes(file)));
  }
  return found;
}

/**
 * Runs a suite. Resolves with the counts of its races, and with vitest's output.
 *
 * @param {Suite} suite @param {number} cancels @param {number} seed
 */
async function run({ files, tests }, cancels, seed) {
  const { status, output, told } = await runTests({
    files,
    tests,
    timeout: 600_000 + cancels * 50,
    env: {
      EIGHTYSIX_TEST_CANCELS: String(cancels),
      EIGHTYSIX_TEST_SEED: String(seed),
      EIGHTYSIX_MODEL_RUNS: String(cancels),
    },
  });
  const sum = { cancels: 0, late: 0, innocent: 0, victims: 0, leaked: 0, races: 0 };
  for (const { canceled, late, innocent, victims, leaked } of told) {
    sum.races++;
    sum.cancels += canceled + late;
    sum.late += late;
    sum.innocent += innocent;
    sum.victims += victims;
    sum.leaked += leaked;
  }
  return { sum, status, output };
}

const { values } = parseArgs({
  options: {
    cancels: { type: "string", default: "20000" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    only: { type: "string", default: "" },
    help: { type: "boolean", default: false },
  },
});
const [cancels, seed] = [Number(values.cancels), Number(values.seed)];
const only = values.only.split(",").filter((name) => name !== "");
const all = suites();
const unknown = only.find((name) => !all.some((suite) => suite.name === name));
if (values.help || !(cancels >= 1) || !Number.isInteger(seed) || unknown !== undefined) {
  console.log(`${usage}\nThere are: ${all.map(({ name }) => name).join(", ")}`);
  process.exit(values.help ? 0 : 2);
}

console.log(`seed ${seed}: npm run soak -- --cancels ${cancels} --seed ${seed}\n`);
const columns = ["", "cancels", "late", "innocent", "victims", "leaked", "seconds", ""];
const row = table(columns, 10);
/** @type {string[]} */
const failures = [];
for (const suite of all) {
  if (only.length > 0 && !only.includes(suite.name)) continue;
  const began = performance.now();
  const { sum, status, output } = await run(suite, cancels, seed);
  const seconds = Math.round((performance.now() - began) / 1_000);
  const counts = [sum.cancels, sum.late, sum.innocent, sum.victims, sum.leaked].map((n) =>
    sum.races === 0 ? "–" : count(n),
  );
  row([suite.name, ...counts, seconds, status]);
  if (status === "FAILED") failures.push(`${suite.name}:\n${output}`);
}
for (const failure of failures) console.error(`\n${failure}`);
if (failures.length > 0) process.exitCode = 1;
