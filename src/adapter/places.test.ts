import { expect, test } from "vitest";
import { background, withCancel } from "../index.ts";
import { Places } from "./places.ts";

test("places go to the callers that wait, in the order in which they asked", async () => {
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

test("a place that is given back at the moment at which a waiter's context ends goes to the next waiter", async () => {
  const places = new Places(1);
  await places.take(background());
  using ctx = withCancel(background());
  const canceled = places.take(ctx);
  const next = places.take(background());
  ctx.cancel(); // its callback runs in a microtask, after this give
  places.give();
  await expect(canceled).rejects.toBe(ctx.err());
  await next;
  places.give();
  await places.take(background());
});

test("when a context ends, all its waiters leave the queue, and a later waiter gets the place", async () => {
  const places = new Places(1);
  await places.take(background());
  using ctx = withCancel(background());
  const canceled = Array.from({ length: 200 }, () => places.take(ctx));
  const next = places.take(background());
  ctx.cancel();
  for (const place of canceled) await expect(place).rejects.toBe(ctx.err());
  places.give();
  await next;
});

test("a Places object says how many places are free and how many callers wait", async () => {
  const places = new Places(2);
  const counts = (): number[] => [places.free, places.waiting];
  expect(counts()).toEqual([2, 0]);
  await places.take(background());
  expect(counts()).toEqual([1, 0]);
  await places.take(background());
  const next = places.take(background());
  expect(counts()).toEqual([0, 1]);
  places.give();
  expect(counts()).toEqual([0, 0]);
  await next;
  places.give();
  places.give();
  expect(counts()).toEqual([2, 0]);
});

test("a caller whose context is done gets no place, even if one is free", async () => {
  const places = new Places(1);
  using ctx = withCancel(background());
  ctx.cancel();
  await expect(places.take(ctx)).rejects.toBe(ctx.err());
  expect(places.free).toBe(1);
});
