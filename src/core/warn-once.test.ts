/** How often a process warning is emitted. */
import { afterEach, beforeEach, expect, test, vi, type MockInstance } from "vitest";

let emitWarning: MockInstance<typeof process.emitWarning>;
let warnOnce: (code: string, message: string, place: string) => void;

beforeEach(async () => {
  emitWarning = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
  vi.resetModules(); // the module remembers the places
  ({ warnOnce } = await import("./warn-once.ts"));
});
afterEach(() => void emitWarning.mockRestore());

test("a warning is emitted once for each message and place", () => {
  for (let i = 0; i < 3; i++) {
    warnOnce("CODE", "message", "here");
    warnOnce("CODE", "message", "there");
    warnOnce("CODE", "other message", "here");
  }
  const options = (detail: string) => ({ type: "EightysixWarning", code: "CODE", detail });
  expect(emitWarning.mock.calls).toEqual([
    ["message", options("here")],
    ["message", options("there")],
    ["other message", options("here")],
  ]);
});

test("a program that has ever new places is warned a thousand times, and no more", () => {
  for (let i = 0; i < 1_100; i++) warnOnce("CODE", "message", `place ${i}`);
  expect(emitWarning).toHaveBeenCalledTimes(1_000);
});

test("a code with too many places does not silence another code", () => {
  for (let i = 0; i < 1_100; i++) warnOnce("CODE", "message", `place ${i}`);
  warnOnce("OTHER", "message", "here");
  expect(emitWarning).toHaveBeenCalledTimes(1_001);
  expect(emitWarning.mock.lastCall?.[1]).toMatchObject({ code: "OTHER" });
});

test.each([undefined, {}])("no warning is emitted where `process` is %o", (without) => {
  vi.stubGlobal("process", without);
  try {
    warnOnce("CODE", "message", "here");
  } finally {
    vi.unstubAllGlobals();
  }
  expect(emitWarning).not.toHaveBeenCalled();
});
