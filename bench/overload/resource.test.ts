import { afterEach, beforeEach, expect, test } from "vitest";
import { background, withCancel } from "eightysix";
import { ManualClock, useClock } from "eightysix/testing";
import { flush } from "../../test/support.ts";
import { COST, Resource } from "./resource.ts";

let clock: ManualClock;
let installed: Disposable;
beforeEach(() => (installed = useClock((clock = new ManualClock()))));
afterEach(() => installed[Symbol.dispose]());

/** Who has been served, in this order; a refusal or an end reads as such. */
function line(resource: Resource) {
  const log: string[] = [];
  const ask = (id: string, ctx = background(), starts?: () => void) =>
    resource.use(ctx, id, starts).then(
      () => log.push(id),
      () => log.push(`not ${id}`),
    );
  return { log, ask };
}

async function pass(ms: number): Promise<void> {
  await flush();
  clock.advance(ms);
  await flush();
}

test("it serves one at a time, in the order of asking", async () => {
  const { log, ask } = line(new Resource());
  for (const id of ["a", "b", "c"]) void ask(id);
  await pass(COST);
  expect(log).toEqual(["a"]);
  await pass(COST);
  expect(log).toEqual(["a", "b"]);
  await pass(COST);
  expect(log).toEqual(["a", "b", "c"]);
});

test("who leaves makes room at once, waiting or served", async () => {
  const { log, ask } = line(new Resource());
  using leaves = withCancel(background());
  void ask("served", leaves);
  void ask("waits", leaves);
  void ask("next");
  await pass(COST / 2);
  leaves.cancel();
  await pass(COST);
  expect(log.sort()).toEqual(["next", "not served", "not waits"]);
});

test("who may not start holds up nobody, and costs nothing", async () => {
  const resource = new Resource();
  const { log, ask } = line(resource);
  void ask("first");
  void ask("refused", background(), () => {
    throw new Error("too late");
  });
  void ask("next");
  await pass(COST);
  await pass(COST);
  expect(log).toEqual(["first", "not refused", "next"]);
  expect(Object.keys(resource.held())).toEqual(["first", "next"]);
});

test("it accounts for the time, so far for whoever is being served", async () => {
  const resource = new Resource();
  const { ask } = line(resource);
  void ask("long");
  await flush();
  const first = resource.held()["long"] ?? 0;
  const limit = performance.now() + 10_000;
  while ((resource.held()["long"] ?? 0) < first + 2 && performance.now() < limit) await flush();
  expect(resource.held()["long"]).toBeGreaterThanOrEqual(first + 2);
});
