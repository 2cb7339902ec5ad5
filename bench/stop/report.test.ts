import { expect, test } from "vitest";
import { ratioTo } from "./costs.ts";
import { ms, percentile, remainingTable } from "./report.ts";

test("a percentile is one of the samples", () => {
  const samples = Array.from({ length: 50 }, (_, i) => 50 - i);
  expect(percentile(samples, 0.5)).toBe(25);
  expect(percentile(samples, 0.99)).toBe(50);
  expect(percentile([7], 0.99)).toBe(7);
});

test("milliseconds are printed with two or more significant digits", () => {
  expect([0.123, 5.84, 21.4, 2901.6].map(ms)).toEqual(["0.12", "5.8", "21", "2,902"]);
});

test("a ratio is the median of the ratios of the rounds", () => {
  expect(ratioTo([10, 100, 20], [11, 130, 24])).toBeCloseTo(1.2);
});

test("the last column judges the ratio to the bare cancel, and is a dash without a bare cancel", () => {
  const figures = { what: "withContext", remaining: [3, 3, 3], told: [3, 3, 3] };
  const common = { race: figures, ours: figures, own: undefined, byHand: undefined, looks: [0.1] };
  const table = remainingTable([
    {
      ...{ driver: "x", version: "1", server: "X 1", bare: "", costOf: "", costs: [] },
      remaining: [
        { ...common, work: "slow", bare: [1, 1] },
        { ...common, work: "quick", bare: [2, 2] },
        { ...common, work: "embedded", bare: undefined },
      ],
    },
  ]);
  const ends = table.split("\n").map((line) => line.split("|").at(-2)?.trim());
  expect(ends.slice(2)).toEqual(["3.00 NOT MET", "1.50", "–"]);
});
