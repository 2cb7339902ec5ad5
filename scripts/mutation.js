// `npm run mutation` changes the source of the generic protocol in src/adapter in one place at a time
// (a mutant), and counts the changes that no unit test notices (a survivor). test/mutation-survivors.json
// lists the survivors that are accepted, each with its reason. The exit status is 1 if a survivor is
// not in the list, if an entry of the list no longer survives, or if the tests notice too few changes.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { root } from "./entries.js";
import { table } from "./soaking.js";

const usage = `npm run mutation -- [options]
  --only=<files>   e.g. --only=lease.ts,engine/stream.ts
  --update         rewrites test/mutation-survivors.json; the reasons of new survivors are left to you
  --again          compares the result of the last run once more, and runs nothing`;

/** The part of the mutants that the tests must notice, over all files. In percent. */
const LEAST = 85;

/**
 * A survivor, by its source text. It has no line number, so it stays the same if other lines change.
 * Two survivors with the same text are two entries.
 *
 * @typedef {object} Survivor
 * @property {string} mutator the kind of change, such as "ConditionalExpression"
 * @property {string} code the lines of the source that the mutant changes
 * @property {string} mutant the same lines after the change
 * @property {string} reason why no test can or should notice it
 *
 * @typedef {{ line: number, column: number }} Position
 * @typedef {{ status: string, mutatorName: string, replacement: string, location: { start: Position, end: Position } }} Mutant
 * @typedef {Record<string, Survivor[]>} Survivors the survivors of each file
 */

const path = (/** @type {string} */ file) => fileURLToPath(new URL(file, root));
const LIST = "test/mutation-survivors.json";
const REPORT = "build/mutation.json";

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    update: { type: "boolean", default: false },
    again: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

/** @type {string[]} */
const mutate = JSON.parse(readFileSync(path("stryker.config.json"), "utf8")).mutate;
const wanted = values.only?.split(",").map((name) => `/${name}`) ?? ["/"];
const files = mutate.filter((file) =>
  wanted.some((name) => name === "/" || file.endsWith(name) || file.endsWith(`${name}.ts`)),
);
if (values.help || files.length === 0) {
  console.log(`${usage}\nThere are: ${mutate.join(", ")}`);
  process.exit(values.help ? 0 : 2);
}

if (!values.again) {
  rmSync(path(REPORT), { force: true });
  const { status } = spawnSync(
    process.execPath,
    [path("node_modules/@stryker-mutator/core/bin/stryker.js"), "run", "-m", files.join(",")],
    { cwd: path("."), stdio: ["ignore", "inherit", "inherit"] },
  );
  if (status !== 0) rmSync(path(REPORT), { force: true });
}
if (!existsSync(path(REPORT))) {
  console.error("Stryker has written no result, so nothing was compared");
  process.exit(1);
}

/** @type {{ files: Record<string, { source: string, mutants: Mutant[] }> }} */
const report = JSON.parse(readFileSync(path(REPORT), "utf8"));
/** @type {Survivors} */
const accepted = existsSync(path(LIST)) ? JSON.parse(readFileSync(path(LIST), "utf8")) : {};

const row = table(["", "killed", "timeout", "survived", "no coverage", "score"], 40);
const total = { killed: 0, timeout: 0, survived: 0, uncovered: 0 };
/** @type {Survivors} */
const survivors = {};
let explained = 0;
/** @type {string[]} */
const complaints = [];

for (const file of files) {
  if (report.files[file] === undefined) {
    complaints.push(`${file} is not part of the result; run without --again`);
    continue;
  }
  const { source, mutants } = report.files[file];
  const count = (/** @type {string} */ status) => mutants.filter((m) => m.status === status).length;
  const counts = {
    killed: count("Killed"),
    timeout: count("Timeout"),
    survived: count("Survived"),
    uncovered: count("NoCoverage"),
  };
  print(file, counts);
  for (const name of /** @type {(keyof typeof total)[]} */ (Object.keys(total)))
    total[name] += counts[name];

  const rest = [...(accepted[file] ?? [])];
  const found = mutants
    .filter(({ status }) => status === "Survived" || status === "NoCoverage")
    .sort((a, b) => compare(a.location.start, b.location.start))
    .map((mutant) => {
      const survivor = survivorOf(source, mutant);
      const i = rest.findIndex((entry) => sameText(entry, survivor));
      const [entry] = i < 0 ? [] : rest.splice(i, 1);
      const reason = entry?.reason ?? "";
      if (entry !== undefined && reason !== "") explained++;
      else if (!values.update)
        complaints.push(
          `${file}:${mutant.location.start.line}: ${entry === undefined ? "no test notices this change" : "this survivor has no reason"}:\n${show(survivor)}`,
        );
      return { ...survivor, reason };
    });
  for (const entry of values.update ? [] : rest)
    complaints.push(`${file}: remove this entry, because it no longer survives:\n${show(entry)}`);
  if (found.length > 0) survivors[file] = found;
}
for (const file of Object.keys(accepted)) {
  if (mutate.includes(file)) continue;
  if (!values.update) complaints.push(`${file} is in the list of survivors, and is not mutated`);
}
print("all", total);

const noticed = score(total);
const missed = total.survived + total.uncovered;
console.log(
  `\n${noticed.toFixed(1)} % noticed. Of ${missed} survivors, ${explained} have a reason in ${LIST}.`,
);
if (values.update) {
  const next = Object.fromEntries(
    mutate
      .map((file) => [file, files.includes(file) ? survivors[file] : accepted[file]])
      .filter(([, entries]) => entries !== undefined),
  );
  writeFileSync(path(LIST), `${JSON.stringify(next, null, 2)}\n`);
  if (explained < missed) console.log(`Write the reasons of ${missed - explained} survivors.`);
}
for (const complaint of complaints) console.error(`\n${complaint}`);
if (noticed < LEAST) console.error(`\nThe tests must notice at least ${LEAST} % of the changes.`);
if (complaints.length > 0 || noticed < LEAST) process.exitCode = 1;

/** @param {string} name @param {typeof total} counts */
function print(name, counts) {
  const { killed, timeout, survived, uncovered } = counts;
  row([name, killed, timeout, survived, uncovered, `${score(counts).toFixed(1)} %`]);
}

/** Returns the percentage of mutants that made a test fail or run for too long. @param {typeof total} counts */
function score({ killed, timeout, survived, uncovered }) {
  const all = killed + timeout + survived + uncovered;
  return all === 0 ? 100 : ((killed + timeout) / all) * 100;
}

/** @param {string} source @param {Mutant} mutant @returns {Survivor} */
function survivorOf(source, { mutatorName, replacement, location: { start, end } }) {
  const lines = source.split("\n").slice(start.line - 1, end.line);
  const before = lines[0]?.slice(0, start.column - 1) ?? "";
  const after = lines.at(-1)?.slice(end.column - 1) ?? "";
  return {
    mutator: mutatorName,
    code: oneLine(lines.join("\n")),
    mutant: oneLine(before + replacement + after),
    reason: "",
  };
}

/** @param {string} text */
function oneLine(text) {
  return text.replace(/\s+/g, " ").trim();
}

/** @param {Survivor} a @param {Survivor} b */
function sameText(a, b) {
  return a.mutator === b.mutator && a.code === b.code && a.mutant === b.mutant;
}

/** @param {Survivor} survivor */
function show({ mutator, code, mutant }) {
  return `  ${mutator}\n  - ${code}\n  + ${mutant}`;
}

/** @param {Position} a @param {Position} b */
function compare(a, b) {
  return a.line - b.line || a.column - b.column;
}
