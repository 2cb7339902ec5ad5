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

export const gates: Gate[] = [
  ...beside("all/ours-10", { "all/plain-10": "Promise.all" }, "all/effect-10"),
  ...beside("all/ours-1k", { "all/plain-1k": "Promise.all" }, "all/effect-1k"),
  ...beside("group/ours", { "group/p-queue": "p-queue" }, "group/effect"),
  ...beside("group/ours-limit", { "group/p-queue-limit": "p-queue" }, "group/effect-limit"),
  ...beside("race/ours", { "race/hand-made": "that by hand" }, "race/effect"),
  ...beside("any/ours", {}, "any/effect"),
  ...beside("hedge/ours", { "hedge/hand-made": "that by hand" }, "hedge/effect"),
  ...beside("hedge/ours-share", { "hedge/hand-made": "that by hand" }),
  ...beside("map/ours-ordered", { "map/p-map-iterable": "pMapIterable" }, "map/effect"),
  ...beside("checkpoint/ours", { "checkpoint/plain": "throwIfAborted" }, "checkpoint/effect"),
];
