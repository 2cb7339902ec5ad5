/** The tables of `npm run bench:tasks`. */
import { rows, type Table } from "../report/rows.ts";

const all = (n: string, words: string): Table => ({
  title: `Run ${words} tasks, and wait for their results`,
  unit: "ns",
  rows: rows(`all/ours-${n}`, {
    [`all/ours-${n}`]: "**all**",
    [`all/plain-${n}`]: "Promise.all; leaves the others running after a failure",
    [`all/hand-made-${n}`]: "Promise.all, AbortController and allSettled, by hand",
    [`all/effect-${n}`]: "Effect.all",
  }),
});

const group = (suffix: string, words: string): Table => ({
  title: `Start 100 tasks one by one, ${words}, and wait for them`,
  unit: "ns",
  rows: rows(`group/ours${suffix}`, {
    [`group/ours${suffix}`]: "**group**",
    [`group/p-queue${suffix}`]: "p-queue",
    [`group/effect${suffix}`]: "Effect.forEach",
  }),
});

const semaphore = (suffix: string, title: string, slow = true): Table => ({
  title,
  unit: "ns",
  rows: rows(`semaphore/ours-${suffix}`, {
    [`semaphore/ours-${suffix}`]: "**acquire, release**",
    [`semaphore/ours-use-${suffix}`]: "**use**",
    [`semaphore/async-sema-${suffix}`]: "async-sema acquire, release",
    [`semaphore/p-limit-${suffix}`]: "p-limit",
    // Their time grows with the square of the callers: a sample of 100k takes minutes.
    ...(slow && {
      [`semaphore/async-mutex-${suffix}`]: "async-mutex acquire, release",
      [`semaphore/effect-${suffix}`]: "Effect Semaphore.withPermit",
    }),
  }),
});

const flight = (n: number, words: string): Table => ({
  title: `Share one run of a task, ${words}`,
  unit: "ns",
  rows: rows(`flight/ours-${n}`, {
    [`flight/ours-${n}`]: "**SingleFlight**",
    [`flight/plain-${n}`]: "a Map of promises, by hand",
  }),
});

export const tables: Table[] = [
  all("10", "10"),
  all("1k", "1,000"),
  group("", "without a limit"),
  group("-limit", "4 at a time"),
  {
    title: "Take the first of 3 tasks to settle",
    unit: "ns",
    rows: rows("race/ours", {
      "race/ours": "**race**",
      "race/plain": "Promise.race; leaves the others running",
      "race/hand-made": "Promise.race, AbortControllers and allSettled, by hand",
      "race/effect": "Effect.raceAllFirst",
    }),
  },
  {
    title: "Take the first of 3 tasks to succeed, after one failure",
    unit: "ns",
    rows: rows("any/ours", {
      "any/ours": "**any**",
      "any/plain": "Promise.any; leaves the others running",
      "any/effect": "Effect.raceAll",
    }),
  },
  {
    title: "Call a task that may get a second attempt, and does not need it",
    unit: "ns",
    rows: rows("hedge/ours", {
      "hedge/ours": "**hedge**",
      "hedge/ours-share": "**hedge, extraShare**",
      "hedge/hand-made": "Promise.any, setTimeout and AbortController, by hand",
      "hedge/effect": "Effect.raceAll, Effect.delay",
    }),
  },
  semaphore("free", "Take a token that is free, and give it back"),
  semaphore("10k", "10k callers wait for one token, per caller"),
  semaphore("100k", "100k callers wait for one token, per caller", false),
  flight(1, "by one call"),
  flight(100, "by 100 calls at the same time"),
  {
    title: "Call a function for each of 1,000 items, 10 at a time",
    unit: "ns",
    rows: rows("map/ours", {
      "map/ours": "**map**",
      "map/ours-unordered": "**map, ordered: false**",
      "map/p-map-iterable": "pMapIterable",
      "map/p-map": "pMap, which returns an array",
      "map/effect": "Effect Stream.mapEffect",
      "map/effect-for-each": "Effect.forEach, which returns an array",
    }),
  },
  {
    title: "Ask whether to stop, in each turn of a loop",
    unit: "ns",
    rows: rows("checkpoint/ours", {
      "checkpoint/ours": "**checkpoint(), deadline**",
      "checkpoint/ours-await": "**await checkpoint(), deadline**",
      "checkpoint/plain": "signal.throwIfAborted(); holds the event loop",
      "checkpoint/immediate": "signal.throwIfAborted(), await setImmediate()",
      "checkpoint/effect": "Effect.yieldNow",
    }),
  },
];
