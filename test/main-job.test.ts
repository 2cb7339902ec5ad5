/** The main job from the outside, small: what it prints, what its page shows, and that it leaves nothing behind. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { request } from "node:http";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { chromium as engine } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const launch = engine.launch.bind(engine);
/** The browser, where the machine has one (Debian: apt-get install chromium). */
const chromium = ["/usr/bin/chromium", "/usr/bin/google-chrome"].find((path) => existsSync(path));
const chromiumOptions = "--no-sandbox --disable-gpu --disable-background-networking".split(" ");

const root = fileURLToPath(new URL("../", import.meta.url));
mkdirSync(join(root, "build"), { recursive: true });
const programs = mkdtempSync(join(root, "build/main-job-"));
// The servers create their directories here. A test sees what is left in it.
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
    env: {
      ...process.env,
      TMPDIR: temporary,
      UV_THREADPOOL_SIZE: "16",
      TOKIO_WORKER_THREADS: "16",
    },
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
    "prints the figures without and with contexts, and removes all its files",
    { timeout: 120_000 },
    async () => {
      const { child, printed } = start("--once", "--json", "--clients=4", "--target=100");
      const [code] = (await once(child, "close")) as [number | null];
      expect(code, printed.err).toBe(0);
      const results = JSON.parse(printed.out) as Record<string, Record<string, unknown>>;
      expect(results["without"]).toMatchObject({ requests: 4, answered: 1, left: 3 });
      expect(results["with"]).toMatchObject({ requests: 4, answered: 1, left: 3 });
      const receipts = results["receipts"] as unknown as { kind: string; state: string }[];
      expect(receipts.length).toBeGreaterThan(0);
      expect(receipts.filter(({ state }) => state !== "stopped")).toEqual([]);
      await leavesNothing();
    },
  );

  it.each([
    ["while it fills the databases", /filling DuckDB/],
    ["in the middle of the traffic", /most of them leave/],
    ["while the page stays up", /page stays up/],
  ])("ends on SIGINT %s, and removes all its files", { timeout: 120_000 }, async (_when, line) => {
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

  describe("the page", () => {
    let job: Job;
    let url = "";
    beforeAll(async () => {
      job = start("--clients=4", "--target=50");
      await until(
        () => /ready: http/.test(job.printed.out) || job.child.exitCode !== null,
        () => `printed only: ${job.printed.out}${job.printed.err}`,
      );
      url = /ready: (\S+)/.exec(job.printed.out)?.[1] ?? "";
    }, 60_000);
    afterAll(async () => {
      job.child.kill("SIGINT");
      await once(job.child, "close");
      await leavesNothing();
    });

    /** Resolves with the status. `fetch` would not send these headers. */
    const ask = (method: string, path: string, headers: Record<string, string> = {}) =>
      new Promise<number | undefined>((resolve, reject) => {
        const req = request(url + path, { method, headers }, (res) => {
          res.destroy();
          resolve(res.statusCode);
        });
        req.on("error", reject).end();
      });

    it("answers HEAD and GET, and no other path", async () => {
      expect(await ask("HEAD", "/")).toBe(200);
      expect(await ask("GET", "/")).toBe(200);
      expect(await ask("GET", "/nothing")).toBe(404);
    });

    it("refuses requests for another host, and those that a page of another site sends", async () => {
      const other = "http://example.test";
      expect(await ask("GET", "/report", { host: "example.test" })).toBe(403);
      expect(await ask("POST", "/crowd/with", { host: "example.test" })).toBe(403);
      expect(await ask("POST", "/crowd/with", { origin: other })).toBe(403);
      expect(await ask("POST", "/crowd/with", { origin: url })).toBe(202);
      expect(await ask("POST", "/crowd/with")).toBe(202);
    });

    it.skipIf(chromium === undefined)(
      "fits a narrow window, and every button has a name of its own",
      { timeout: 120_000 },
      async () => {
        const browser = await launch({ executablePath: chromium ?? "", args: chromiumOptions });
        try {
          const page = await browser.newPage({ viewport: { width: 375, height: 800 } });
          await page.goto(url, { waitUntil: "domcontentloaded" });
          await page.getByText("Live.").waitFor();
          const names = await page.locator("button").allTextContents();
          expect(new Set(names).size).toBe(4);
          await page.getByRole("button", { name: "Leave one request with contexts" }).click();
          await page.locator("#receipts tbody tr").first().waitFor();
          expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(375);
        } finally {
          await browser.close();
        }
      },
    );
  });

  it("refuses an option that is not a number, and names it", async () => {
    const { child, printed } = start("--clients=many");
    const [code] = (await once(child, "close")) as [number | null];
    expect(code).toBe(2);
    expect(printed.err).toContain('--clients takes a whole number from 4, got "many"');
  });
});
