/** What several test files need. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { afterAll } from "vitest";
import type * as Root from "../src/index.ts";
import type * as Testing from "../src/testing/index.ts";
import { afterFunc, type Context } from "../src/index.ts";

export { until } from "./support/wait.ts";

/** Lets everything run that waits in microtasks. */
export async function flush(): Promise<void> {
  for (let i = 0; i < 30; i++) await Promise.resolve();
}

/** Lets input, output and timers that are due have their turn. */
export async function turn(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Every test of a behavior runs in each of these ways: most of the pull path is exercised unwatched. */
export const watchings: [how: string, watch: (ctx: Context) => unknown][] = [
  ["unwatched", () => undefined],
  ["watched by signal", (ctx) => ctx.signal],
  ["watched by callback", (ctx) => afterFunc(ctx, () => undefined)],
];

/** What is reported to the process while `fn` runs, in place of the test runner's own listeners. */
export async function reported(fn: () => unknown): Promise<unknown[]> {
  const errors: unknown[] = [];
  const events = ["unhandledRejection", "uncaughtException"] as const;
  const before = events.map((event) => process.listeners(event as "uncaughtException"));
  const collect = (error: unknown): void => {
    errors.push(error);
  };
  for (const event of events) process.removeAllListeners(event).on(event, collect);
  try {
    await fn();
    await turn();
    await turn();
  } finally {
    for (const [i, event] of events.entries()) {
      process.removeAllListeners(event);
      for (const listener of before[i] ?? []) process.on(event as "uncaughtException", listener);
    }
  }
  return errors;
}

/** Collects garbage until it has happened, or gives up. */
export async function collected(isTrue: () => boolean, rounds = 50): Promise<boolean> {
  for (let i = 0; i < rounds; i++) {
    // In this order: what a WeakRef was asked for lives on until the job is over.
    await turn();
    globalThis.gc?.();
    if (isTrue()) return true;
  }
  return false;
}

let bundled: Promise<string> | undefined;
let directory: string | undefined;
let programs = 0;

afterAll(() => {
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
});

/** The root and the clock for tests as one plain JavaScript file: a copy of the package of its own. */
export async function bundle(): Promise<string> {
  bundled ??= (async () => {
    directory = mkdtempSync(join(tmpdir(), "eightysix-"));
    const outfile = join(directory, "index.mjs");
    const src = fileURLToPath(new URL("../src", import.meta.url));
    await build({
      stdin: {
        contents: `export * from "./index.ts"; export * from "./testing/index.ts";`,
        resolveDir: src,
        loader: "ts",
      },
      ...{ outfile, bundle: true, format: "esm", platform: "neutral", target: "es2022" },
      logLevel: "error",
    });
    return outfile;
  })();
  return bundled;
}

type Package = typeof Root & typeof Testing;

/** A second copy of the package, as when two dependencies bring their own. */
export async function secondCopy(): Promise<Package> {
  const url = pathToFileURL(await bundle()).href;
  return (await import(/* @vite-ignore */ url)) as Package;
}

export interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
  /** Milliseconds. */
  took: number;
}

/** Runs a program in a Node of its own; in it, `BUNDLE` stands for the package. */
export async function runProgram(
  text: string,
  options: { flags?: string[]; env?: Record<string, string>; type?: "module" | "commonjs" } = {},
): Promise<Ran> {
  const { flags = [], env = {}, type = "module" } = options;
  const path = await bundle();
  const quoted = JSON.stringify(type === "module" ? pathToFileURL(path).href : path);
  // A file, for Deno takes what follows `-e` for a script.
  const file = join(path, `../program-${++programs}.${type === "module" ? "mjs" : "cjs"}`);
  writeFileSync(file, text.replaceAll("BUNDLE", quoted));
  const args = [...flags, file];
  const started = performance.now();
  const { NODE_OPTIONS: _, ...inherited } = process.env;
  const child = spawn(process.execPath, args, { env: { ...inherited, ...env } });
  const ran: Ran = { code: null, stdout: "", stderr: "", took: 0 };
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (ran.stdout += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (ran.stderr += chunk));
  ran.code = await new Promise((resolve, reject) => {
    child.on("error", reject).on("close", resolve);
  });
  ran.took = performance.now() - started;
  return ran;
}
