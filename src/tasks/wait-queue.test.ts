import { expect, test } from "vitest";
import { background } from "../index.ts";
import { Waiter, WaitQueue } from "./wait-queue.ts";

const nothing = (): void => undefined;

// Linear time is a second, and quadratic time is minutes. The limit is for a busy machine.
test("a million callers leave a queue in linear time, from the middle and from the front", () => {
  const MANY = 1_000_000;
  const queue = new WaitQueue<number>(nothing);
  const served: number[] = [];
  const waiters = Array.from({ length: MANY }, (_, i) => {
    const waiter = new Waiter(queue, background(), i, (value) => served.push(value), nothing);
    queue.append(waiter);
    return waiter;
  });
  for (let i = 0; i < MANY / 2; i += 2) {
    queue.remove(waiters[MANY / 2 + i]!);
    queue.remove(waiters[MANY / 2 - 1 - i]!);
  }
  expect(queue.length).toBe(MANY / 2);
  for (let first = queue.first; first !== undefined; first = queue.first) first.grant(first.weight);
  expect([queue.length, served.length]).toEqual([0, MANY / 2]);
  expect(served.every((weight, i) => i === 0 || served[i - 1]! < weight)).toBe(true);
}, 30_000);

test("a caller that is not in the queue is not removed", () => {
  const queue = new WaitQueue<number>(nothing);
  const [a, b] = [1, 2].map((weight) => {
    return new Waiter(queue, background(), weight, nothing, nothing);
  });
  queue.append(a!);
  expect([queue.remove(b!), queue.length, queue.first]).toEqual([false, 1, a]);
  queue.append(b!);
  expect([queue.remove(a!), queue.remove(a!), queue.length, queue.first]).toEqual([
    true,
    false,
    1,
    b,
  ]);
});
