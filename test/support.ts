/** Helpers that several test files use. */
import { spawn } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { inject } from "vitest";
import type * as Root from "../src/index.ts";
import type * as Testing from "../src/testing/index.ts";
import { afterFunc, type Context } from "../src/index.ts";

export { until } from "./support/wait.ts";

/** Runs all pending microtasks. */
export async function flush(): Promise<void> {
  for (let i = 0; i < 30; i++) await Promise.resolve();
}

/** Runs timers that are due, input and output. */
export async function turn(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Tests of a behavior run both ways. Only unwatched scopes use most of the pull path. */
export const watchings: [how: string, watch: (ctx: Context) => unknown][] = [
  ["unwatched", () => undefined],
  ["watched by signal", (ctx) => ctx.signal],
  ["watched by callback", (ctx) => afterFunc(ctx, () => undefined)],
];

/** Returns what is reported to the process while `fn` runs. The test runner's listeners are set aside. */
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

/** Collects garbage, and returns the bytes of heap in use. */
export function heap(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

/** Collects garbage until the condition holds, or gives up. */
export async function collected(isTrue: () => boolean, rounds = 50): Promise<boolean> {
  for (let i = 0; i < rounds; i++) {
    // In this order: the target of a WeakRef that was read stays alive until the end of the job.
    await turn();
    globalThis.gc?.();
    if (isTrue()) return true;
  }
  return false;
}

let bundled: Promise<string> | undefined;
let programs = 0;

/** Bundles the root and the clock for tests into one JavaScript file: another copy of the package. */
export async function bundle(): Promise<string> {
  bundled ??= (async () => {
    const directory = mkdtempSync(join(inject("temporaryDirectory"), "bundle-"));
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

/** Loads a second copy of the package, as if two dependencies had installed one each. */
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

/** Runs a program in a process of its own. In it, `BUNDLE` stands for the package. */
export async function runProgram(
  text: string,
  options: { flags?: string[]; env?: Record<string, string>; type?: "module" | "commonjs" } = {},
): Promise<Ran> {
  const { flags = [], env = {}, type = "module" } = options;
  const path = await bundle();
  const quoted = JSON.stringify(type === "module" ? pathToFileURL(path).href : path);
  // A file: Deno takes the argument after `-e` as the name of a script.
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
