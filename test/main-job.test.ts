/** The main job from the outside, small: what it prints, and that it leaves nothing behind. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../", import.meta.url));
mkdirSync(join(root, "build"), { recursive: true });
const programs = mkdtempSync(join(root, "build/main-job-"));
// The servers make their directories here, so that what is left can be seen.
const temporary = mkdtempSync("/tmp/main-job-");

beforeAll(async () => {
  await build({
    ...{ bundle: true, format: "esm", platform: "node", target: "node20" },
    entryPoints: [join(root, "demo/main.ts"), join(root, "demo/clients.ts")],
    outdir: programs,
    tsconfig: join(root, "tsconfig.json"),
    external: ["pg", "@duckdb/node-api", "libsql"],
  });
}, 60_000);
afterAll(() => {
  rmSync(programs, { recursive: true, force: true });
  rmSync(temporary, { recursive: true, force: true });
});

interface Job {
  child: ChildProcess;
  printed: { out: string; err: string };
}

function start(...options: string[]): Job {
  const child = spawn(process.execPath, [join(programs, "main.js"), ...options], {
    env: { ...process.env, TMPDIR: temporary, UV_THREADPOOL_SIZE: "16" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const printed = { out: "", err: "" };
  child.stdout.on("data", (chunk) => (printed.out += String(chunk)));
  child.stderr.on("data", (chunk) => (printed.err += String(chunk)));
  return { child, printed };
}

async function until(condition: () => boolean, what: () => string): Promise<void> {
  const giveUp = performance.now() + 60_000;
  while (!condition()) {
    if (performance.now() > giveUp) throw new Error(what());
    await delay(20);
  }
}

async function leavesNothing(): Promise<void> {
  await until(
    () => readdirSync(temporary).length === 0,
    () => `left behind: ${readdirSync(temporary).join(", ")}`,
  );
}

describe("the main job", () => {
  it(
    "prints what the engines did, deaf and with contexts, and removes everything",
    { timeout: 120_000 },
    async () => {
      const { child, printed } = start("--once", "--json", "--clients=4", "--target=100");
      const [code] = (await once(child, "close")) as [number | null];
      expect(code, printed.err).toBe(0);
      const { deaf, contexts } = JSON.parse(printed.out) as Record<string, Record<string, unknown>>;
      expect(deaf).toMatchObject({ requests: 4, answered: 1, left: 3 });
      expect(contexts).toMatchObject({ requests: 4, answered: 1, left: 3 });
      await leavesNothing();
    },
  );

  it.each([
    ["while it fills the databases", /filling DuckDB/],
    ["in the middle of the traffic", /nobody tells/],
    ["while the page stays up", /page stays up/],
  ])("ends on SIGINT %s, and removes everything", { timeout: 120_000 }, async (_when, line) => {
    const { child, printed } = start("--clients=4", "--target=100");
    await until(
      () => line.test(printed.out) || child.exitCode !== null,
      () => `printed only: ${printed.out}${printed.err}`,
    );
    child.kill("SIGINT");
    const [code] = (await once(child, "close")) as [number | null];
    expect(code, printed.err).toBe(0);
    await leavesNothing();
  });

  it("refuses options that make no sense, and says why", async () => {
    const { child, printed } = start("--clients=many");
    const [code] = (await once(child, "close")) as [number | null];
    expect(code).toBe(2);
    expect(printed.err).toContain('--clients takes a whole number from 4, got "many"');
  });
});
