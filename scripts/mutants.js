// `npm run mutants` breaks the stopping protocol on purpose, once for each mutant in test/mutants, and
// runs the tests that must notice. It prints which test caught each mutant. The exit status is 1 if a
// mutant survived, and 2 if the run proves nothing: a mutant does not fit its file any more, or a test
// fails on the unchanged sources.
//
// The mutants are applied to copies of the sources, which are removed at the end, also after Ctrl-C.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { prepare } from "./mutants/copies.js";
import { home } from "./soaking.js";

/**
 * @typedef {import("../test/mutants/mutant.ts").Mutant & { group: string, needsServers: boolean }} Mutant
 * @typedef {import("./mutants/copies.js").Copy} Copy
 * @typedef {{ mutant: Mutant, seconds: number, caughtBy: string[], why: string }} Verdict
 */

const usage = `npm run mutants -- [options]
  --only=<names>    groups, or parts of the names of mutants, e.g. --only=engine,rollback
  --limit=<s>       after how many seconds a mutant counts as one that hangs; 20 by default
  --list            what there is`;

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    limit: { type: "string", default: "20" },
    list: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
const only = values.only.split(",").filter((name) => name !== "");
const limit = Number(values.limit) * 1_000;

/** How many copies, and so vitest processes, are in use at a time. */
const WORKERS = 2;
/**
 * The error of a test that hangs. It proves little: a test can hang for other reasons than the breach,
 * and says nothing of what is wrong. Vitest's report has a placeholder there, not the message.
 */
const TIMED_OUT = /^Error: (STACK_TRACE_ERROR|(Test|Hook) timed out in )/;
/** Milliseconds that the tests may take on the unchanged sources. */
const BASELINE_LIMIT = 180_000;

/** @type {Mutant[]} */
const all = [];
for (const file of readdirSync(join(home, "test/mutants")).sort()) {
  if (!file.endsWith(".js")) continue;
  /** @type {{ group: import("../test/mutants/mutant.ts").Group }} */
  const { group } = await import(`../test/mutants/${file}`);
  const { needsServers } = group;
  for (const mutant of group.mutants) {
    all.push({ ...mutant, needsServers, group: file.replace(/\.js$/, "") });
  }
}
const mutants = all.filter(
  ({ group, name }) => only.length === 0 || only.some((o) => o === group || name.includes(o)),
);
if (values.help || values.list || mutants.length === 0 || !(limit > 0)) {
  if (!values.list) console.log(`${usage}\n`);
  for (const { group, name } of all) console.log(`${group}: ${name}`);
  process.exit(values.help || values.list ? 0 : 2);
}

/** @param {string} message */
function fail(message) {
  console.error(message);
  process.exitCode = 2;
}

/** Splits "<file> > <part of the title>". @param {string} test */
function partsOf(test) {
  const [file = "", title] = test.split(/ > (.*)/);
  return { file, title };
}

/** Returns why this mutant cannot be applied, or `undefined` if it can. @param {Mutant} mutant */
function misfit({ name, file, find, replace }) {
  const count = readFileSync(join(home, file), "utf8").split(find).length - 1;
  if (count === 1 && find !== replace) return undefined;
  return `The mutant "${name}" needs an update: its text occurs ${count} times in ${file}, not once.`;
}

/**
 * Runs the tests of these mutants on the unchanged sources. Returns what is wrong.
 *
 * @param {Copy} copy @param {Mutant[]} some @returns {Promise<string[]>}
 */
async function baseline(copy, some) {
  const [first] = some;
  if (first === undefined) return [];
  const named = [...new Set(some.flatMap(({ tests }) => tests))];
  const { needsServers } = first;
  const result = await copy.run(named.map(partsOf), { needsServers, limit: BASELINE_LIMIT });
  if (result.why !== "") return [`The tests fail on the unchanged sources: ${result.why}`];
  const failed = result.tests.filter(({ status }) => status === "failed");
  const passed = result.tests.filter(({ status }) => status === "passed");
  const empty = named.filter((test) => {
    const { file, title = "" } = partsOf(test);
    return !passed.some((one) => one.file === file && one.name.includes(title));
  });
  return [
    ...failed.map(
      ({ file, name, error }) =>
        `This test fails on the unchanged sources: ${file} > ${name}\n${error}`,
    ),
    ...empty.map(
      (test) => `No test passes on the unchanged sources, or its server is missing: ${test}`,
    ),
  ];
}

/** @param {Copy} copy @param {Mutant} mutant @returns {Promise<Verdict>} */
async function judge(copy, mutant) {
  const { file, find, replace, tests, needsServers } = mutant;
  const began = performance.now();
  copy.change(file, (text) => text.replace(find, () => replace));
  try {
    const result = await copy.run(tests.map(partsOf), { needsServers, limit, bail: true });
    const seconds = (performance.now() - began) / 1_000;
    const failed = result.tests.filter(({ status }) => status === "failed");
    const caught = failed.filter(({ error }) => !TIMED_OUT.test(error));
    const caughtBy = caught.map((test) => `${test.file} > ${test.name}`);
    const hung = failed.map((test) => `${test.file} > ${test.name} hangs`);
    const why = result.why || hung.join(", ") || "every test passes";
    return { mutant, seconds, caughtBy, why };
  } finally {
    copy.restore(file);
  }
}

const began = performance.now();
const misfits = mutants.map(misfit).filter((message) => message !== undefined);
if (misfits.length > 0) fail(misfits.join("\n"));
else {
  const { copies, end } = await prepare(
    WORKERS,
    mutants.some(({ needsServers }) => needsServers),
  );
  try {
    const halves = [true, false].map((needs) => mutants.filter((m) => m.needsServers === needs));
    const wrong = await Promise.all(
      halves.map((half, i) => baseline(/** @type {Copy} */ (copies[i]), half)),
    );
    if (wrong.flat().length > 0) fail(wrong.flat().join("\n"));
    else {
      console.log(`${seconds()} s: every test passes on the unchanged sources.`);
      await judgeAll(copies);
    }
  } finally {
    await end();
  }
}

function seconds() {
  return Math.round((performance.now() - began) / 1_000);
}

/** @param {Copy[]} copies */
async function judgeAll(copies) {
  const queue = [...mutants];
  /** @type {Verdict[]} */
  const survivors = [];
  await Promise.all(
    copies.map(async (copy) => {
      for (let mutant; (mutant = queue.shift()) !== undefined;) {
        const verdict = await judge(copy, mutant);
        const [by] = verdict.caughtBy;
        if (by === undefined) survivors.push(verdict);
        const outcome = by === undefined ? `SURVIVED: ${verdict.why}` : `caught by ${by}`;
        console.log(
          `${mutant.group}: ${mutant.name} (${verdict.seconds.toFixed(1)} s)\n    ${outcome}`,
        );
      }
    }),
  );
  const caught = mutants.length - survivors.length;
  console.log(`\n${caught} of ${mutants.length} mutants were caught, in ${seconds()} s.`);
  for (const { mutant, why } of survivors) {
    console.log(`survived: ${mutant.group}: ${mutant.name} (${mutant.file}): ${why}`);
  }
  if (survivors.length > 0) process.exitCode = 1;
}
