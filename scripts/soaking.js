// What both soaks share: they run tests in a process of their own, and print a table of their counts.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { root } from "./entries.js";

export const home = fileURLToPath(root);

/**
 * Runs all tests of these files, or those whose names match `tests`. Resolves with the counts that they
 * reported (`tell` of test/support/race.ts), and with vitest's output.
 *
 * @param {{ files: string[], tests?: string | undefined, timeout: number, env: Record<string, string> }} options
 */
export async function runTests({ files, tests, timeout, env }) {
  const directory = mkdtempSync(join(tmpdir(), "eightysix-soak-"));
  const file = join(directory, "told");
  try {
    const vitest = spawn(
      process.execPath,
      [
        join(home, "node_modules/vitest/vitest.mjs"),
        "run",
        `--testTimeout=${timeout}`,
        ...(tests === undefined ? [] : ["-t", tests]),
        ...files,
      ],
      {
        cwd: home,
        stdio: ["ignore", "pipe", "pipe"],
        env: { ...process.env, EIGHTYSIX_TEST_TOLD: file, ...env },
      },
    );
    let output = "";
    for (const stream of [vitest.stdout, vitest.stderr]) {
      stream.setEncoding("utf8").on("data", (/** @type {string} */ text) => (output += text));
    }
    const code = await new Promise((resolve) => vitest.once("close", resolve));
    const lines = existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
    // If a server is missing, its tests are skipped. That is not a success.
    const passed = Number(/^(\d+) passed/m.exec(output)?.[1] ?? 0);
    const status = code !== 0 ? "FAILED" : passed > 0 ? "ok" : "skipped";
    return { status, output, told: lines.map((line) => JSON.parse(line)) };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/**
 * Prints the head of a table, and returns a function that prints a row.
 *
 * @param {string[]} columns @param {number} first how wide the first one is
 * @returns {(cells: (string | number)[]) => void}
 */
export function table(columns, first) {
  const width = columns.map((name, i) => (i === 0 ? first : Math.max(9, name.length)));
  /** @param {(string | number)[]} cells */
  const row = (cells) => {
    const padded = width.map((w, i) =>
      i === 0 ? String(cells[i]).padEnd(w) : String(cells[i]).padStart(w),
    );
    console.log(`| ${padded.join(" | ")} |`);
  };
  row(columns);
  row(width.map((w, i) => (i === 0 ? "-".repeat(w) : `${"-".repeat(w - 1)}:`)));
  return row;
}

/** @param {number} n */
export const count = (n) => n.toLocaleString("en-US");
