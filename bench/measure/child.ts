import { execFile, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";

const run = promisify(execFile);
const TIMEOUT_MS = 180_000;

/** The first and the last CPU that this process may use. Empty if the system offers no choice. */
const allowed = ((): string[] => {
  if (spawnSync("taskset", ["--version"]).status !== 0) return [];
  const list = /Cpus_allowed_list:\s*(\S+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  return list?.split(/[,-]/) ?? [];
})();

export const pinned = allowed.length > 0;

/** Returns the words to put before a command, to pin it to one CPU. */
export function pinTo(which: "first" | "last"): string[] {
  const cpu = which === "first" ? allowed[0] : allowed.at(-1);
  return cpu === undefined ? [] : ["taskset", "-c", cpu];
}

/**
 * Runs a program on the last CPU, and returns its output. The first CPU does the work of the
 * system.
 */
export async function runPinned(
  program: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<string> {
  const [command = program, ...rest] = [...pinTo("last"), program, ...args];
  const { stdout } = await run(command, rest, {
    env: { ...process.env, ...env },
    timeout: TIMEOUT_MS,
  });
  return stdout;
}

/** Returns the reason of a failure in one line. */
export function reasonOf(error: unknown): string {
  const {
    stderr = "",
    code,
    signal,
    killed,
  } = error as { stderr?: string; code?: unknown; signal?: unknown; killed?: boolean };
  if (killed === true) return `did not end within ${TIMEOUT_MS / 1e3} s`;
  const line = stderr.split("\n").find((text) => /Error\b|panic:|out of memory/.test(text));
  return line ?? `exit code ${String(code)}, signal ${String(signal)}`;
}
