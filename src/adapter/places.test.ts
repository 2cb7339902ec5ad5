import { expect, test } from "vitest";
import { background, withCancel } from "../index.ts";
import { Places } from "./places.ts";

test("places go to those who wait, in order", async () => {
  const places = new Places(2);
  const order: number[] = [];
  const take = (n: number) => places.take(background()).then(() => order.push(n));
  await Promise.all([take(1), take(2)]);
  const waiting = [take(3), take(4), take(5)];
  places.give();
  places.give();
  places.give();
  await Promise.all(waiting);
  expect(order).toEqual([1, 2, 3, 4, 5]);
});

test("a place is not lost on one whose context ends in the same moment", async () => {
  const places = new Places(1);
  await places.take(background());
  using leaves = withCancel(background());
  const left = places.take(leaves);
  const next = places.take(background());
  leaves.cancel(); // its callback runs in a microtask, after this give
  places.give();
  await expect(left).rejects.toBe(leaves.err());
  await next;
  places.give();
  await places.take(background());
});

test("those who leave together leave nothing behind", async () => {
  const places = new Places(1);
  await places.take(background());
  using ctx = withCancel(background());
  const all = Array.from({ length: 200 }, () => places.take(ctx));
  const patient = places.take(background());
  ctx.cancel();
  for (const answer of all) await expect(answer).rejects.toBe(ctx.err());
  places.give();
  await patient;
});
