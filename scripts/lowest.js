// `npm run lowest` runs the tests of the integrations with the oldest packages that package.json
// allows as peers. The packages are installed into build/lowest. The exit status is 1 if a test fails.
import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { root } from "./entries.js";

const home = fileURLToPath(root);
const usage = `npm run lowest -- [options]
  --only=<names>           e.g. --only=pg,koa
  --with=<name>@<version>  another version of that one`;

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    with: { type: "string", multiple: true, default: [] },
    help: { type: "boolean", default: false },
  },
});

/** @type {Record<string, string>} */
const peers = JSON.parse(readFileSync(join(home, "package.json"), "utf8")).peerDependencies;
/** @type {Map<string, string>} */
const versions = new Map();
for (const [name, range] of Object.entries(peers)) {
  if (range === "*") continue; // all its releases are pre-releases, which no range matches
  const [, version] = /^>=(\d+\.\d+\.\d+)$/.exec(range) ?? [];
  if (version === undefined) throw new Error(`${name} needs a bound such as >=1.2.3, not ${range}`);
  versions.set(name, version);
}
for (const spec of values.with) {
  const [, name = "", version = ""] = /^(.+)@(.+)$/.exec(spec) ?? [];
  versions.set(name, version);
}
const names = values.only?.split(",") ?? [...versions.keys()];
if (values.help || names.some((name) => !versions.has(name))) {
  console.log(`${usage}\nThere are: ${[...versions.keys()].join(", ")}`);
  process.exit(values.help ? 0 : 2);
}

/**
 * Links the packages of `from` into `into`, unless `into` has them already.
 *
 * @param {string} into @param {string} from
 */
function addLinks(into, from) {
  for (const name of readdirSync(from)) {
    const [ours, theirs] = [join(into, name), join(from, name)];
    if (!existsSync(ours)) symlinkSync(theirs, ours);
    else if (name.startsWith("@")) addLinks(ours, theirs);
  }
}

/** The folders of src whose name is not that of the package.
 *
 * @type {Record<string, string>}
 */
const folders = { "@nats-io/transport-node": "nats", "typescript-eslint": "eslint" };

for (const name of names) {
  const version = versions.get(name);
  const folder = join(home, "build/lowest", name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  /** @type {Record<string, Record<string, string>>} */
  const special = {
    // The tests import Express 4 by another name, beside Express 5.
    express: { express: "5.0.0", express4: `npm:express@${version}` },
    // Of the same time.
    "typescript-eslint": {
      "typescript-eslint": version ?? "",
      typescript: "5.5.4",
      eslint: "9.0.0",
    },
  };
  const dependencies = special[name] ?? { [name]: version };
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, dependencies }));
  execFileSync("npm", ["install", "--no-audit", "--no-fund", "--silent"], { cwd: folder });
  addLinks(join(folder, "node_modules"), join(home, "node_modules"));
  // Node looks for packages beside the real path of a file, so links to the sources would not work.
  for (const file of [
    "src",
    "test",
    "servers",
    "package.json",
    "tsconfig.json",
    "vitest.config.ts",
  ])
    cpSync(join(home, file), join(folder, file), { recursive: true });
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["node_modules/vitest/vitest.mjs", "run", `src/${folders[name] ?? name}/`],
    { cwd: folder, encoding: "utf8", maxBuffer: 1 << 28 },
  );
  if (status !== 0) {
    console.error(stdout, stderr);
    process.exitCode = 1;
  }
  console.log(`${name} ${version}: ${stdout.trim().split("\n").at(-1)}`);
}
