import { execFile, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";

const run = promisify(execFile);
const TIMEOUT_MS = 180_000;

/** The processors that we may use, first and last, where the system lets us choose. */
const allowed = ((): string[] => {
  if (spawnSync("taskset", ["--version"]).status !== 0) return [];
  const list = /Cpus_allowed_list:\s*(\S+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  return list?.split(/[,-]/) ?? [];
})();

export const pinned = allowed.length > 0;

/** What to put before a command to keep it on one processor. */
export function pinTo(which: "first" | "last"): string[] {
  const cpu = which === "first" ? allowed[0] : allowed.at(-1);
  return cpu === undefined ? [] : ["taskset", "-c", cpu];
}

/** Runs a program on the last processor (the first is where the system does its own chores) and returns what it printed. */
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

/** The first line that says what went wrong. */
export function reasonOf(error: unknown): string {
  const {
    stderr = "",
    message = "",
    killed = false,
  } = error as { stderr?: string; message?: string; killed?: boolean };
  if (killed) return `no end after ${TIMEOUT_MS / 1e3} s`;
  const lines = stderr.split("\n");
  return (
    lines.find((line) => /Error\b|panic:|out of memory/.test(line)) ??
    message.split("\n")[0] ??
    "failed"
  );
}
