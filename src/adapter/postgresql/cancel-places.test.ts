import { expect, test } from "vitest";
import { collected, flush } from "../../../test/support.ts";
import { Deferred, rejection } from "../../../test/support/reports.ts";
import { background, withTimeout } from "../../index.ts";
import { ManualClock, useClock } from "../../testing/index.ts";
import { withCancelPlace } from "./cancel-places.ts";

/** Fills the places of a server, and lets one more caller wait, whose deadline passes as it gets one. */
async function lastCallerLeaves(server: object): Promise<void> {
  const clock = new ManualClock();
  using _ = useClock(clock);
  const end = new Deferred();
  const sending = Array.from({ length: 8 }, () =>
    withCancelPlace(server, background(), () => end.promise),
  );
  const late = withTimeout(background(), 10);
  const waiting = withCancelPlace(server, late, () => {
    throw new Error("a request was sent after the end of its context");
  });
  const rejected = rejection(waiting);
  await flush();
  // Runs after all places were given back, and before the caller that waits goes on.
  const passed = end.promise.then(() => clock.block(10));
  end.resolve();
  await Promise.all([...sending, passed]);
  expect(await rejected).toBe(late.err());
}

test("a server of which no request is left is forgotten, even if the last caller leaves as it gets its place", async () => {
  const forget = async (): Promise<WeakRef<object>> => {
    const server = {};
    await lastCallerLeaves(server);
    return new WeakRef(server);
  };
  const forgotten = await forget();
  expect(await collected(() => forgotten.deref() === undefined)).toBe(true);
});
