// Copies of the sources in which `npm run mutants` changes a file and runs tests, and the servers that
// these tests share.
import { spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { home } from "../soaking.js";

/**
 * `why` says why there is no result, and is empty if there is one. `name` is the full title.
 *
 * @typedef {{ file: string, name: string, status: string, error: string }} Test
 * @typedef {{ tests: Test[], why: string }} Result
 * @typedef {{ needsServers: boolean, limit: number, bail?: boolean }} RunOptions
 */

/** What vitest needs in order to run a test. Links would not work: Node follows them to the originals. */
const COPIED = ["src", "test", "servers", "package.json", "tsconfig.json", "vitest.config.ts"];

/** The leaders of the process groups that run. @type {Set<number>} */
const groups = new Set();

function killAll() {
  for (const leader of groups) kill(leader);
}

/** @param {number} leader */
function kill(leader) {
  try {
    process.kill(-leader, "SIGKILL");
  } catch {
    // The group has ended.
  }
}

/** The servers of the tests, as a module that this version of Node can import. */
async function importServers() {
  mkdirSync(join(home, "build"), { recursive: true });
  const folder = mkdtempSync(join(home, "build/mutants-")); // here it finds node_modules
  try {
    const outfile = join(folder, "servers.js");
    await build({
      ...{ bundle: true, format: "esm", platform: "node", target: "node20", packages: "external" },
      stdin: {
        contents: `
          export * as services from "./test/support/services/index.ts";
          export { temporaryDirectory } from "./servers/temporary-directory.ts";`,
        resolveDir: home,
        loader: "ts",
      },
      outfile,
    });
    /** @type {{ services: typeof import("../../test/support/services/index.ts"), temporaryDirectory: typeof import("../../servers/temporary-directory.ts").temporaryDirectory }} */
    const servers = await import(pathToFileURL(outfile).href);
    return servers;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * Makes copies of the sources. If `needsServers`, also finds every server of the tests as a test run
 * does, or starts it. Both are gone
 * when this process has ended, for whatever reason. The caller calls `end`.
 *
 * @param {number} count @param {boolean} needsServers
 */
export async function prepare(count, needsServers) {
  const { services, temporaryDirectory } = await importServers();
  const directory = await temporaryDirectory();
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
    process.once(signal, () => {
      killAll();
      process.exit(130); // the directory and the servers end with this process
    });
  }
  process.once("exit", killAll);
  const shared = Object.values(services).flatMap((one) =>
    "use" in one && needsServers ? [one] : [],
  );
  const started = await Promise.allSettled(
    shared.map(async ({ variable, standard, use, start }) => {
      const named = process.env[variable];
      if (named && named !== "own") return { variable, url: named, stop: undefined };
      const place = named ? undefined : await use(standard).catch(() => undefined);
      await place?.end(); // each vitest takes its own place
      if (place) return { variable, url: standard, stop: undefined };
      const server = await start();
      return { variable, url: server.url, stop: () => server.stop() };
    }),
  );
  const servers = started.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const environment = Object.fromEntries(servers.map(({ variable, url }) => [variable, url]));
  const copies = Array.from(
    { length: count },
    (_, i) => new Copy(join(directory.path, String(i)), environment),
  );
  const end = async () => {
    killAll();
    for (const { stop } of servers) await stop?.();
    await directory.remove();
  };
  return { copies, end };
}

export class Copy {
  #folder;
  #temporary;
  #environment;

  /** @param {string} folder @param {Record<string, string>} environment */
  constructor(folder, environment) {
    this.#folder = folder;
    this.#temporary = `${folder}-tmp`;
    mkdirSync(this.#temporary);
    this.#environment = environment;
    for (const name of COPIED) cpSync(join(home, name), join(folder, name), { recursive: true });
    symlinkSync(realpathSync(join(home, "node_modules")), join(folder, "node_modules"));
  }

  /** @param {string} file @param {(text: string) => string} edit */
  change(file, edit) {
    const path = join(this.#folder, file);
    writeFileSync(path, edit(readFileSync(path, "utf8")));
  }

  /** @param {string} file */
  restore(file) {
    cpSync(join(home, file), join(this.#folder, file));
  }

  /**
   * Runs these tests. Stops at the first failure if `bail`. Kills everything that the tests have
   * started after `limit` milliseconds.
   *
   * @param {{ file: string, title: string | undefined }[]} tests @param {RunOptions} options
   * @returns {Promise<Result>}
   */
  async run(tests, { needsServers, limit, bail = false }) {
    const report = join(this.#folder, "report.json");
    rmSync(report, { force: true });
    const titles = tests.map(({ title }) => title);
    const filter = titles.includes(undefined) ? undefined : titles.map((t) => escape(t ?? ""));
    const child = spawn(
      process.execPath,
      [
        join(this.#folder, "node_modules/vitest/vitest.mjs"),
        "run",
        ...[
          "--config",
          "test/mutants/vitest.config.ts",
          "--reporter=json",
          `--outputFile=${report}`,
        ],
        ...(bail ? ["--bail=1"] : []),
        ...(filter ? ["-t", filter.join("|")] : []),
        ...new Set(tests.map(({ file }) => file)),
      ],
      {
        cwd: this.#folder,
        detached: true, // leads a process group, which can be killed as a whole
        stdio: ["ignore", "pipe", "pipe"],
        env: {
          ...process.env,
          ...this.#environment,
          TMPDIR: this.#temporary, // tests that are killed do not remove their files
          EIGHTYSIX_MUTANTS_SERVERS: needsServers ? "1" : "",
        },
      },
    );
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (/** @type {string} */ text) => (output += text));
    }
    const leader = child.pid ?? 0;
    groups.add(leader);
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      kill(leader);
    }, limit);
    await new Promise((resolve) => child.once("exit", resolve));
    clearTimeout(timer);
    kill(leader); // processes that the tests have left behind
    groups.delete(leader);
    if (isLate) return { tests: [], why: `the tests still ran after ${limit / 1_000} s` };
    if (!existsSync(report)) return { tests: [], why: `vitest has not reported:\n${output}` };
    return read(JSON.parse(readFileSync(report, "utf8")), this.#folder, child.exitCode, output);
  }
}

/**
 * Reads the report of vitest's reporter "json".
 *
 * @param {{ testResults: { name: string, message: string, assertionResults: { status: string, ancestorTitles: string[], title: string, failureMessages: string[] | null }[] }[] }} report
 * @param {string} folder @param {number | null} code @param {string} output
 * @returns {Result}
 */
function read({ testResults }, folder, code, output) {
  const tests = testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.map(({ status, ancestorTitles, title, failureMessages }) => ({
      file: name.slice(realpathSync(folder).length + 1),
      name: [...ancestorTitles, title].join(" "),
      status,
      error: failureMessages?.[0] ?? "",
    })),
  );
  // A file that cannot be loaded has no tests. That proves nothing about the tests.
  const broken = testResults.find((file) => file.assertionResults.length === 0);
  if (broken) return { tests: [], why: `${broken.name} has no tests: ${broken.message}` };
  if (code !== 0 && !tests.some(({ status }) => status === "failed")) {
    return { tests, why: `no test has failed, and yet vitest reports a failure:\n${output}` };
  }
  return { tests, why: "" };
}

/** @param {string} text */
function escape(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
