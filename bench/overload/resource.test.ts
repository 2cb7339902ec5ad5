import { afterEach, beforeEach, expect, test } from "vitest";
import { background, withCancel } from "eightysix";
import { ManualClock, useClock } from "eightysix/testing";
import { flush } from "../../test/support.ts";
import { COST, Resource } from "./resource.ts";

let clock: ManualClock;
let installed: Disposable;
beforeEach(() => (installed = useClock((clock = new ManualClock()))));
afterEach(() => installed[Symbol.dispose]());

/** Requests service for ids, and logs each outcome: "a" if it was served, "not a" if it was not. */
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

test("the resource serves one request at a time, in order of arrival", async () => {
  const { log, ask } = line(new Resource());
  for (const id of ["a", "b", "c"]) void ask(id);
  await pass(COST);
  expect(log).toEqual(["a"]);
  await pass(COST);
  expect(log).toEqual(["a", "b"]);
  await pass(COST);
  expect(log).toEqual(["a", "b", "c"]);
});

test("a request whose context ends leaves the resource at once, whether it waits or is served", async () => {
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

test("a request that may not start delays no other request, and uses no time of the resource", async () => {
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

test("the account includes the time so far of the request that is being served", async () => {
  const resource = new Resource();
  const { ask } = line(resource);
  void ask("long");
  await flush();
  const first = resource.held()["long"] ?? 0;
  const limit = performance.now() + 10_000;
  while ((resource.held()["long"] ?? 0) < first + 2 && performance.now() < limit) await flush();
  expect(resource.held()["long"]).toBeGreaterThanOrEqual(first + 2);
});
