import { expect, test } from "vitest";
import { Cost } from "./cost.ts";

const learned = (...costs: number[]): Cost => {
  const cost = new Cost();
  for (const ms of costs) cost.whole(ms);
  return cost;
};
const times = (n: number, ms: number): number[] => Array<number>(n).fill(ms);

test("nothing is known until five have ended", () => {
  expect(learned(...times(4, 10)).median).toBeUndefined();
  expect(learned(...times(5, 10)).median).toBe(10);
});

test("a slow start is outvoted by what follows", () => {
  expect(learned(900, 800, 10, 11, 12).median).toBe(12);
});

test("one that took a minute changes nothing", () => {
  expect(learned(...times(20, 10), 60_000).median).toBe(10);
});

test("of a route with two speeds, the more frequent counts", () => {
  const both = (slow: number) => learned(...times(31 - slow, 5), ...times(slow, 500));
  expect([both(15).median, both(16).median]).toEqual([5, 500]);
});

test("a change is known for a fact after sixteen, and only the last 31 are remembered", () => {
  const cost = learned(...times(1_000, 10));
  for (let n = 1; n <= 16; n++) {
    expect(cost.median, `before ${n}`).toBe(10);
    cost.whole(100);
  }
  expect(cost.median).toBe(100);
});

test("what was stopped early says nothing, and what was stopped late that it is more", () => {
  const cost = learned(...times(31, 100));
  for (let i = 0; i < 100; i++) cost.atLeast(99);
  expect(cost.median).toBe(100);
  for (let i = 0; i < 16; i++) cost.atLeast(100);
  expect(cost.median).toBe(200);
});

test("deadlines that stop the slow half do not make the work look fast", () => {
  // Costs are spread evenly over 0 … 200, and everybody has 120: 80 of 200 are stopped.
  const cost = new Cost();
  for (let i = 0; i < 400; i++) {
    const ms = (i * 83) % 200;
    if (ms < 120) cost.whole(ms);
    else cost.atLeast(120);
  }
  expect(cost.median).toBeGreaterThan(80);
  expect(cost.median).toBeLessThan(120);
});

test("the time for which places are held is a mean, of the newest above all", () => {
  const cost = new Cost();
  expect(cost.held).toBe(0);
  cost.hold(10);
  expect(cost.held).toBe(10);
  for (let i = 0; i < 1_000; i++) cost.hold(i % 10 === 0 ? 500 : 5);
  expect(cost.held).toBeGreaterThan(25);
  expect(cost.held).toBeLessThan(200);
});

test("what is believed is outvoted as what is known is", () => {
  const cost = learned(...times(31, 600));
  cost.believe(10);
  expect(cost.median).toBe(10);
  for (let i = 0; i < 6; i++) cost.whole(20);
  expect(cost.median).toBe(20);
});
