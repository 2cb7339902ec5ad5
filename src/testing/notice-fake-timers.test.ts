import { expect, onTestFinished, test, vi } from "vitest";
import { pause } from "./real-time.ts";

/** Loads the package anew, because a module warns once in its life. */
async function load() {
  vi.resetModules();
  const { testContext } = await import("./index.ts");
  const { sleep } = await import("../index.ts");
  const warned: string[] = [];
  const onWarning = (warning: Error & { code?: string }) => {
    if (warning.code === "EIGHTYSIX_FAKE_TIMERS") warned.push(warning.message);
  };
  process.on("warning", onWarning);
  onTestFinished(() => {
    vi.useRealTimers();
    process.off("warning", onWarning);
  });
  return { testContext, sleep, warned };
}

test("a timer that was set before the fake timers were installed is no reason for a warning", async (t) => {
  const { testContext, sleep, warned } = await load();
  const ctx = testContext(t);
  sleep(ctx, 100).catch(() => undefined);
  expect(performance.now()).toBeGreaterThan(50); // the fake clock begins at 0
  vi.useFakeTimers({ now: 0 });
  await pause(150);
  vi.useRealTimers();
  await pause(5);
  expect(warned).toEqual([]);
});

test("a fake timer that leaves performance real is one", async (t) => {
  const { testContext, sleep, warned } = await load();
  const ctx = testContext(t);
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
  sleep(ctx, 60_000).catch(() => undefined);
  vi.advanceTimersByTime(60_000);
  vi.useRealTimers();
  await pause(5);
  expect(warned).toHaveLength(1);
});
