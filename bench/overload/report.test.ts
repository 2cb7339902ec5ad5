import { expect, test } from "vitest";
import { table, warnings } from "./report.ts";
import type { Outcome } from "./run.ts";

const outcome = (figures: Partial<Outcome>): Outcome => ({
  ...{ goodput: 100, wasted: 0, p50: 20, p99: 40, refused: 0, toldAfter: Number.NaN, lag: 1 },
  ...figures,
});
const cells = (text: string): string[][] =>
  text.split("\n").map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

test("a figure is the median of the rounds, and each rate is printed once", () => {
  const rounds = [90, 10, 95].map((goodput) => outcome({ goodput, refused: 0.2, toldAfter: 3 }));
  const measured = [
    { rate: 60, arm: "a", outcomes: [outcome({})] },
    { rate: 60, arm: "b", outcomes: rounds },
    { rate: 120, arm: "a", outcomes: [outcome({ wasted: 0.724 })] },
  ];
  expect(cells(table(measured)).slice(2)).toEqual([
    ["a", "60/s", "100/s", "0 %", "20", "40", "0 %", "–"],
    ["b", "", "90/s", "0 %", "20", "40", "20 %", "3.0"],
    ["a", "120/s", "100/s", "72 %", "20", "40", "0 %", "–"],
  ]);
});

test("an arm that served no client has dashes in place of times", () => {
  const unserved = outcome({ goodput: 0, wasted: 1, p50: Number.NaN, p99: Number.NaN });
  expect(cells(table([{ rate: 60, arm: "a", outcomes: [unserved] }]))[2]).toEqual([
    ...["a", "60/s", "0/s", "100 %", "–", "–", "0 %", "–"],
  ]);
});

test("a warning is printed if clients arrived late because the machine was busy", () => {
  const measured = (lag: number) => [{ rate: 60, arm: "a", outcomes: [outcome({ lag })] }];
  expect(warnings(measured(5))).toBe("");
  expect(warnings(measured(80))).toContain("80 ms late");
});
