/** What happens to an error of an adapter's method that must not throw. */
import { afterEach, expect, test, vi } from "vitest";
import { turn } from "../../test/support.ts";
import { adapterThrew, watchReports } from "../../test/support/reports.ts";
import { callAdapter } from "./call-adapter.ts";

const warnings = watchReports();
afterEach(() => void vi.unstubAllGlobals());

const throwIt = (error: unknown) => (): never => {
  throw error;
};

test("callAdapter returns the result of the call", async () => {
  expect(callAdapter("isStop", () => true)).toBe(true);
  await turn();
  expect(warnings).toEqual([]);
});

test("callAdapter reports what the call throws as a warning with its stack, and returns undefined", async () => {
  expect(callAdapter("release", throwIt(new Error("a mistake")))).toBeUndefined();
  await turn();
  expect(warnings).toMatchObject([adapterThrew("release", "a mistake")]);
  expect(warnings[0]?.message).toContain("call-adapter.test.ts");
});

test("callAdapter reports a value that is no error by its description", async () => {
  callAdapter("release", throwIt("a mistake"));
  await turn();
  expect(warnings[0]?.message).toBe('release of an adapter threw: the string "a mistake"');
});

test.each<[platform: string, process: unknown]>([
  ["without a process", undefined],
  ["whose process has no warnings", {}],
])("callAdapter returns undefined on a platform %s", (_, process) => {
  vi.stubGlobal("process", process);
  const result = callAdapter("release", throwIt(new Error("a mistake")));
  vi.unstubAllGlobals();
  expect(result).toBeUndefined();
});
