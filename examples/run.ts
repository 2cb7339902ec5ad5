/**
 * Runs every example, in TypeScript and in plain JavaScript, and compares its output with the
 * `prints:` lines at its top. In such a line, … stands for any text. An example must end by itself.
 */
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** Milliseconds. The longest example takes three seconds, and a busy machine needs more. */
const BOUND = 30_000;

const root = fileURLToPath(new URL("../../", import.meta.url));

interface Example {
  /** The file that holds the `prints:` lines. */
  source: string;
  /** The file to run: the source itself, or the JavaScript that was compiled from it. */
  program: string;
}

async function examples(): Promise<Example[]> {
  const typed = (await readdir(join(root, "examples")))
    .filter((name) => name.endsWith(".ts") && name !== "run.ts")
    .map((name) => ({
      source: join(root, "examples", name),
      program: join(root, "build/examples", name.replace(/ts$/, "js")),
    }));
  const plain = (await readdir(join(root, "examples/plain")))
    .filter((name) => name.endsWith(".js"))
    .map((name) => join(root, "examples/plain", name));
  return [...typed, ...plain.map((path) => ({ source: path, program: path }))];
}

/** Runs an example. Resolves with what is wrong with it, or with `undefined`. */
async function check({ source, program }: Example): Promise<string | undefined> {
  const top = /^\/\*\*([^]*?)\*\//.exec(await readFile(source, "utf8"))?.[1] ?? "";
  const expected = [...top.matchAll(/^ \* prints: (.*)$/gm)].map((line) => line[1] ?? "");
  if (expected.length === 0) return "has no `prints:` line at its top";
  return new Promise((resolve) => {
    const options = { timeout: BOUND, killSignal: "SIGKILL" } as const;
    execFile(process.execPath, [program], options, (error, stdout, stderr) => {
      const printed = stdout.trimEnd().split("\n");
      const right =
        printed.length === expected.length &&
        expected.every((line, i) => matches(line, printed[i] ?? ""));
      if (right && error === null && stderr === "") resolve(undefined);
      else {
        const end = error?.killed ? `did not end within ${BOUND} ms` : `exit ${error?.code ?? 0}`;
        const lists = [`expected:`, ...expected, `printed (${end}):`, ...printed];
        resolve([...lists, ...(stderr ? ["errors:", stderr.trimEnd()] : [])].join("\n"));
      }
    });
  });
}

function matches(expected: string, printed: string): boolean {
  const parts = expected.split("…").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`).test(printed);
}

// One after the other: examples print durations, and would slow each other down.
let wrong = 0;
for (const example of await examples()) {
  const start = performance.now();
  const problem = await check(example);
  const ms = Math.round(performance.now() - start);
  console.log(
    `${problem === undefined ? "ok  " : "FAIL"} ${relative(root, example.source)} (${ms} ms)`,
  );
  if (problem === undefined) continue;
  wrong++;
  console.log(problem.replace(/^/gm, "     "));
}
process.exitCode = wrong > 0 ? 1 : 0;
