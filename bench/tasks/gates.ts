/**
 * The promises of `npm run bench:tasks`: at most 1.3 times the price of the peer in plain JavaScript,
 * and less than Effect's.
 */
import type { Gate } from "../report/gates.ts";
import type { Ref } from "../report/rows.ts";

const MOST = 1.3;

/** Promises about `of`: beside each of the `peers`, and beside Effect. */
function beside(of: Ref, peers: Record<Ref, string>, effect?: Ref): Gate[] {
  const plain = Object.entries(peers).map(([over, name]) => ({
    promise: `${of}, of ${name}`,
    ...{ of, over, atMost: MOST },
  }));
  if (effect === undefined) return plain;
  return [...plain, { promise: `${of}, of Effect's`, of, over: effect, atMost: 1 }];
}

const semaphore = (suffix: string): Gate[] => [
  ...beside(`semaphore/ours-${suffix}`, { [`semaphore/async-sema-${suffix}`]: "async-sema" }),
  ...beside(`semaphore/ours-use-${suffix}`, { [`semaphore/p-limit-${suffix}`]: "p-limit" }),
];

/** Beside the packages that cannot take 100,000 callers. */
const semaphoreToo = (suffix: string): Gate[] =>
  beside(
    `semaphore/ours-${suffix}`,
    { [`semaphore/async-mutex-${suffix}`]: "async-mutex" },
    `semaphore/effect-${suffix}`,
  );

export const gates: Gate[] = [
  ...beside("all/ours-10", { "all/plain-10": "Promise.all" }, "all/effect-10"),
  ...beside("all/ours-1k", { "all/plain-1k": "Promise.all" }, "all/effect-1k"),
  ...beside("group/ours", { "group/p-queue": "p-queue" }, "group/effect"),
  ...beside("group/ours-limit", { "group/p-queue-limit": "p-queue" }, "group/effect-limit"),
  ...beside("race/ours", { "race/hand-made": "that by hand" }, "race/effect"),
  ...beside("any/ours", {}, "any/effect"),
  ...beside("hedge/ours", { "hedge/hand-made": "that by hand" }, "hedge/effect"),
  ...beside("hedge/ours-share", { "hedge/hand-made": "that by hand" }),
  ...semaphore("free"),
  ...semaphoreToo("free"),
  ...semaphore("10k"),
  ...semaphoreToo("10k"),
  ...semaphore("100k"),
  {
    promise: "100k waiters take, of 10k, per waiter",
    ...{ of: "semaphore/ours-100k", over: "semaphore/ours-10k", atMost: 2 },
  },
  ...beside("flight/ours-1", { "flight/plain-1": "a Map of promises" }),
  ...beside("flight/ours-100", { "flight/plain-100": "a Map of promises" }),
  ...beside("map/ours", { "map/p-map-iterable": "pMapIterable" }, "map/effect"),
  ...beside("checkpoint/ours", { "checkpoint/plain": "throwIfAborted" }, "checkpoint/effect"),
];
