import { expect, test } from "vitest";
import { Cost } from "./cost.ts";

const learned = (...costs: number[]): Cost => {
  const cost = new Cost();
  for (const ms of costs) cost.addFinished(ms);
  return cost;
};
const times = (n: number, ms: number): number[] => Array<number>(n).fill(ms);

test("the cost is unknown until five runs have finished", () => {
  expect(learned(...times(4, 10)).median).toBeUndefined();
  expect(learned(...times(5, 10)).median).toBe(10);
});

test("two slow first runs do not change the median of the first five", () => {
  expect(learned(900, 800, 10, 11, 12).median).toBe(12);
});

test("one run that took a minute does not change the cost", () => {
  expect(learned(...times(20, 10), 60_000).median).toBe(10);
});

test("if runs have two durations, the more frequent one is the cost", () => {
  const both = (slow: number) => learned(...times(31 - slow, 5), ...times(slow, 500));
  expect([both(15).median, both(16).median]).toEqual([5, 500]);
});

test("a change of the cost is known after sixteen runs, because only the last 31 count", () => {
  const cost = learned(...times(1_000, 10));
  for (let n = 1; n <= 16; n++) {
    expect(cost.median, `before ${n}`).toBe(10);
    cost.addFinished(100);
  }
  expect(cost.median).toBe(100);
});

test("a stopped run counts double if it had reached the median, and does not count otherwise", () => {
  const cost = learned(...times(31, 100));
  for (let i = 0; i < 100; i++) cost.addStopped(99);
  expect(cost.median).toBe(100);
  for (let i = 0; i < 16; i++) cost.addStopped(100);
  expect(cost.median).toBe(200);
});

test("deadlines that stop the slow runs do not make the work look cheap", () => {
  // Costs are spread evenly over 0 … 200, and every deadline is 120: 80 of 200 runs are stopped.
  const cost = new Cost();
  for (let i = 0; i < 400; i++) {
    const ms = (i * 83) % 200;
    if (ms < 120) cost.addFinished(ms);
    else cost.addStopped(120);
  }
  expect(cost.median).toBeGreaterThan(80);
  expect(cost.median).toBeLessThan(120);
});

test("the mean hold time of a place gives the newest runs the most weight", () => {
  const cost = new Cost();
  expect(cost.meanHold).toBe(0);
  cost.addHold(10);
  expect(cost.meanHold).toBe(10);
  for (let i = 0; i < 1_000; i++) cost.addHold(i % 10 === 0 ? 500 : 5);
  expect(cost.meanHold).toBeGreaterThan(25);
  expect(cost.meanHold).toBeLessThan(200);
});

test("a cost that replaced all others weighs as much as five runs", () => {
  const cost = learned(...times(31, 600));
  cost.replace(10);
  expect(cost.median).toBe(10);
  for (let i = 0; i < 6; i++) cost.addFinished(20);
  expect(cost.median).toBe(20);
});
