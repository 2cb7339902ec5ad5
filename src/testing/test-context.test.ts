import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext as NodeTestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { beforeAll, describe, expect, inject, test, vi } from "vitest";
import {
  afterFunc,
  cause,
  detach,
  isCanceled,
  isDeadlineExceeded,
  shield,
  sleep,
  startWork,
  withTimeout,
  working,
  type Context,
} from "../index.ts";
import {
  expectStopped,
  inTestContext,
  ManualClock,
  testContext,
  useClock,
  type TestLike,
} from "./index.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const suites = join(root, "test/support/test-context");

interface Run {
  /** The lines that the tests of the suite have written. */
  log: string[];
  /** What the runner has printed. */
  output: string;
}

async function runProgram(args: string[], directory: string): Promise<Run> {
  const log = join(directory, "log");
  writeFileSync(log, "");
  // A runner behaves differently inside another one.
  const own = Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_TEST_)/.test(name));
  const env = { ...Object.fromEntries(own), LOG: log, NO_COLOR: "1" };
  const child = spawn(process.execPath, args, { env, cwd: root });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  await once(child, "close");
  return { output, log: readFileSync(log, "utf8").trimEnd().split("\n") };
}

async function runOnNode(directory: string): Promise<Run> {
  const outfile = join(directory, "node.test.mjs");
  await build({
    ...{ entryPoints: [join(suites, "node-suite.ts")], outfile, bundle: true, format: "esm" },
    ...{ platform: "node", target: "node20", logLevel: "error" },
  });
  return runProgram(["--test", "--test-reporter=tap", outfile], directory);
}

async function runOnVitest(directory: string): Promise<Run> {
  const config = join(directory, "vitest.config.mjs");
  const options = { test: { include: ["test/support/test-context/vitest-suite.ts"] } };
  writeFileSync(config, `export default ${JSON.stringify(options)};`);
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  const args = ["run", "--root", root, "--config", config, "--reporter=tap-flat"];
  return runProgram([vitest, ...args], directory);
}

describe.each([
  ["node:test", runOnNode],
  ["vitest", runOnVitest],
] as const)("testContext(t) on %s", (runner, run) => {
  const isNode = runner === "node:test";
  let result: Run;
  beforeAll(async () => {
    result = await run(mkdtempSync(join(inject("temporaryDirectory"), "test-context-")));
  }, 120_000);

  /** The lines that begin with one of these words. */
  const lines = (...places: string[]): string[] =>
    result.log.filter((line) => places.some((place) => line.startsWith(place)));
  /** Whether the runner says that a test has passed. */
  const passed = (name: string): boolean => {
    const line = result.output
      .split("\n")
      .find((text) => text.includes(` ${name}`) && /^\s*(not )?ok /.test(text));
    if (line === undefined) throw new Error(`no test "${name}" in:\n${result.output}`);
    return !line.includes("not ok");
  };

  test("is live during the test and in afterEach, and done in the cleanup of the test", () => {
    expect(lines("test", "afterEach", "after:", "cleanup")).toEqual([
      "test: live",
      "afterEach: live",
      ...(isNode
        ? ["after: TestFinished"]
        : [
            "cleanup registered last: TestFinished",
            "cleanup registered first: TestFinished",
            "cleanup registered before: TestFinished",
          ]),
    ]);
    expect(passed("cleanup")).toBe(true);
  });

  test("is the same context in beforeEach and in the test", () => {
    expect(passed("is that of the test")).toBe(true);
  });

  test("waits until its work has stopped before the cleanup of the test runs", () => {
    expect(lines("waited")).toEqual(["waited: 0 left"]);
    expect(lines("detach", "after detach")).toEqual(["detach has finished", "after detach"]);
    expect([passed("waits for work"), passed("waits for detach")]).toEqual([true, true]);
  });

  test("fails a test that its work outlives, names the work, and runs the other cleanup", () => {
    expect(passed("outlived by work")).toBe(false);
    expect(result.output).toMatch(
      /work has outlived the test by 50 ms.*\s+- never\.stops \(the culprit\) is still running/,
    );
    expect(lines("after the failure")).toHaveLength(1);
  });

  test("ends with a deadline before the timeout of the test", () => {
    expect(lines("deadline")).toEqual(["deadline: TimeoutError"]);
    expect(passed("deadline")).toBe(true);
  });

  test("ends when the runner gives the test up", () => {
    expect(passed("timeout")).toBe(false);
    expect(lines("after the timeout")).toEqual([
      isNode ? "after the timeout: AbortError" : "after the timeout: Error",
    ]);
  });

  test("a function of inTestContext passes and fails like any test", () => {
    expect([passed("wrapped: passes"), passed("wrapped: fails")]).toEqual([true, false]);
    expect(result.output).toContain("never.stops (in a wrapped test)");
  });

  test("expectNothingLeftAfter(t) looks when all cleanup has run", () => {
    expect(passed("clean: "), result.output).toBe(true);
    expect(passed("unclean: ")).toBe(false);
    expect(lines("left")).toEqual(["left: clean", "left: unclean"]);
    expect(result.output).toMatch(
      /the test has left this behind, 50 ms after its end:\s+- a timer of 54321 ms/,
    );
    expect(result.output).not.toContain("a context that has not ended");
  });

  if (isNode) {
    test("works in a subtest", () => {
      expect(result.output).toContain("never.stops (of a subtest)");
    });
    return;
  }

  test("expectNothingLeftAfter(t) waits for cleanup that was registered before", () => {
    expect(passed("in order: "), result.output).toBe(true);
  });

  test("is live again when vitest runs the test again after a timeout", () => {
    expect(lines("try")).toEqual(["try 1: live", "try 2: live"]);
    expect(passed("a second try")).toBe(true);
  });

  test("ends when the test skips itself", () => {
    expect(lines("skipped")).toEqual(["skipped: TestFinished"]);
  });

  test("of one test is not that of another at the same time", () => {
    expect(lines("a:")).toEqual(["a: live"]);
  });
});

describe("testContext(t)", () => {
  test("has a ledger, and ends as finished", async () => {
    let finish: () => Promise<void> = async () => {};
    const ctx = testContext({ onTestFinished: (fn) => (finish = fn) });
    const work = startWork(ctx, "pg.query");
    afterFunc(ctx, () => work.end());
    await finish();
    expect(isCanceled(ctx.err())).toBe(true);
    expect(String(cause(ctx))).toBe("TestFinished: the test has finished");
    expect(await expectStopped(ctx)).toMatchObject([{ kind: "pg.query", reason: "finished" }]);
  });

  test("has no deadline that a fake clock could reach", (t) => {
    const ctx = testContext(t);
    expect(ctx.deadline()).toBeUndefined();
    vi.useFakeTimers();
    vi.advanceTimersByTime(86_400_000);
    expect(ctx.err()).toBeUndefined();
    vi.useRealTimers();
    expect(ctx.err()).toBeUndefined();
  });

  test("leaves the clock of the test in force", (t) => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const ctx = withTimeout(testContext(t), 1_000);
    clock.advance(1_000);
    expect(isDeadlineExceeded(ctx.err())).toBe(true);
  });

  test("says in its deadline error what the timeout of the test is", async () => {
    const ctx = testContext({ after: () => undefined }, { timeout: 40 });
    const error: unknown = await sleep(ctx, 60_000).catch((reason: unknown) => reason);
    expect(isDeadlineExceeded(error)).toBe(true);
    expect(String(cause(ctx))).toMatch(/its timeout of 40 ms \(its context ends 4 ms before\)/);
  });

  test("names in its deadline error the work that was running", async () => {
    const ctx = testContext({ after: () => undefined }, { timeout: 40 });
    const work = startWork(ctx, "pg.query", "select pg_sleep(10)");
    startWork(ctx, "pg.query", "select 1").end();
    await sleep(ctx, 60_000).catch(() => work.end());
    expect(String(ctx.err()).split("\n")).toEqual([
      expect.stringMatching(/^TimeoutError: context deadline exceeded; this was running:$/),
      expect.stringMatching(/^- pg\.query \(select pg_sleep\(10\)\) had been running for \d+ ms$/),
      expect.stringContaining("EIGHTYSIX_DEV=1"),
    ]);
  });

  test("says in its deadline error if no recorded work was running", async () => {
    const ctx = testContext({ after: () => undefined }, { timeout: 40 });
    await sleep(ctx, 60_000).catch(() => undefined);
    expect(String(ctx.err())).toContain("no recorded work was running");
  });

  test("counts the functions of shield and detach that outlive the test", async () => {
    let finish: () => Promise<void> = async () => {};
    const ctx = testContext({ onTestFinished: (fn) => (finish = fn) }, { within: 5 });
    const never = () => new Promise<void>((resolve) => (release = resolve));
    let release = (): void => undefined;
    detach(ctx, 60_000, never);
    const endDetach = release;
    void shield(ctx, 60_000, never);
    await expect(finish()).rejects.toThrow("- 1 running shield()\n- 1 running detach()");
    release();
    endDetach();
  });

  test("warns once of fake timers under which no deadline passes", async (t) => {
    vi.resetModules(); // a module warns once in its life
    const { testContext } = await import("./index.ts");
    const { sleep } = await import("../index.ts");
    const warned: unknown[] = [];
    const onWarning = (warning: Error & { code?: string }) => {
      if (warning.code === "EIGHTYSIX_FAKE_TIMERS") warned.push(warning.message);
    };
    process.on("warning", onWarning);
    const ctx = testContext(t);
    for (let i = 0; i < 2; i++) {
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
      sleep(ctx, 60_000).catch(() => undefined);
      vi.advanceTimersByTime(60_000);
      vi.useRealTimers();
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
    process.off("warning", onWarning);
    expect(warned).toEqual([expect.stringMatching(/setTimeout is fake.*call followTimers\(\)/)]);
  });

  test("rejects what is not a test, and says what to write", () => {
    for (const wrong of [undefined, null, "t", {}, () => undefined]) {
      expect(() => testContext(wrong as never)).toThrow(
        /testContext takes what vitest or node:test/,
      );
    }
    const t: TestLike = { after: () => undefined };
    expect(() => testContext(t, { timout: 1 } as never)).toThrow('unknown option "timout"');
    expect(() => testContext(t, { timeout: Number.NaN })).toThrow(RangeError);
  });

  test("takes the real test contexts of both runners", () => {
    const _takes: (t: NodeTestContext) => Context = (t) => testContext(t);
    expect(_takes).toBeTypeOf("function");
  });
});

describe("inTestContext(fn)", () => {
  test("passes on the arguments, and declares no parameter", async () => {
    const run = inTestContext((ctx, a: number, b: string) => {
      expect([ctx.err(), a, b]).toEqual([undefined, 1, "x"]);
    });
    expect(run).toHaveLength(0);
    await run(1, "x");
  });

  test("ends the context when the function has settled, and waits for its work", async () => {
    let seen: Context | undefined;
    await inTestContext((ctx) => {
      seen = ctx;
      const work = startWork(ctx, "slow.stop");
      afterFunc(ctx, () => setTimeout(() => work.end(), 20));
    })();
    expect(seen && [isCanceled(seen.err()), working(seen)]).toEqual([true, []]);
  });

  test("rejects as the function does, also if work outlives it", async () => {
    const failed = inTestContext(
      (ctx) => {
        startWork(ctx, "never.stops");
        throw new Error("first");
      },
      { within: 1 },
    );
    await expect(failed()).rejects.toThrow("first");
  });

  test("ends the context before the timeout that it is told", async () => {
    const slow = inTestContext((ctx) => sleep(ctx, 60_000), { timeout: 30, margin: 10 });
    await expect(slow()).rejects.toThrow("context deadline exceeded");
  });

  test("rejects wrong arguments at once", () => {
    expect(() => inTestContext(undefined as never)).toThrow("the function of a test");
    expect(() => inTestContext(() => undefined, { time: 1 } as never)).toThrow("unknown option");
  });
});
