/** The kit finds what an adapter can do wrong: each breach of the toy adapter fails the test for it. */
import { expect, onTestFinished, test, vi } from "vitest";
import { breaches, type Breach } from "../../../test/support/toy/breaches.ts";
import { describeToy } from "../../../test/support/toy/describe-toy.ts";
import { runAdapterTests } from "./index.ts";

vi.setConfig({ testTimeout: 60_000 });

const RECEIPTS = "receipts: an operation that is canceled has stopped";
const LATE_STOP = "late stops: a late stop of an operation hits no other operation";
const SILENT = "a server that never answers: an operation whose stop";
const WAIT = "the wait for a connection: an operation that waits";
/** What the process reports shows after other tests. */
const PROCESS = "the process: ";
const LEFTOVERS = "leftovers: an operation leaves nothing";

/** For each breach: the tests that are run, and what the failure says. */
const findings: Record<Breach, readonly [tests: string, message: RegExp]> = {
  "settles when its context ends, and does not wait for the operation": [
    LATE_STOP,
    /held back for 150 ms hit another operation.*given back before the stop had ended/,
  ],
  "sends a stop and does not wait for its end": [
    LATE_STOP,
    /held back for 150 ms hit another operation.*give it back in `release`/,
  ],
  "sends no stop": [RECEIPTS, /says "abandoned" although the server answered/],
  "rejects with an error of its own": [RECEIPTS, /must reject with ctx\.err\(\), the same object/],
  "takes every error for the answer to a stop": [
    "if the context ends before the answer has arrived",
    /the server's error must arrive unchanged.*`isStop`/,
  ],
  "drops a result that was faster than its stop": [
    "a result that beats its stop",
    /return a result that you have/,
  ],
  "sends although the context is done": [
    "a context that is done already: an operation whose",
    /has sent \d+ messages: call `throwIfDone`/,
  ],
  "waits for a connection without its context": [WAIT, /wait with `lease`/],
  "keeps a connection that was granted too late": [WAIT, /give it back in `giveBack`/],
  "leaves a callback on the context": [LEFTOVERS, /still registered on the context/],
  "leaves a listener on the signal": [LEFTOVERS, /still registered on the context/],
  "gives a connection back after the stop timeout": [SILENT, /close it in `destroy`/],
  "ignores the stop timeout": [SILENT, /did not settle.*after the stop timeout/],
  "takes a broken connection for an answer": [
    "an operation is not said to have stopped while it runs, if both connections",
    /a broken connection is no answer/,
  ],
  "records no work": [RECEIPTS, /has no receipt: give the operation a `kind`/],
  "does not say what runs": [RECEIPTS, /does not say what ran: set `what`/],
  "destroys each connection that was asked to stop": [RECEIPTS, /`documented\.afterStop`/],
  "throws in `release`": [PROCESS, /release of an adapter threw/],
  "leaves a rejection without a handler": [PROCESS, /the process reported: Error: lost/],
  "keeps the connection of a stream that is left early": [
    "a stream whose loop is left early",
    /the test did not end: a stream whose loop is left early/,
  ],
  "ends a canceled stream as if it were complete": [
    "a stream that is canceled has stopped",
    /must reject with ctx\.err\(\)/,
  ],
  "ends a stream only when its loop asks for the next row": [
    "a stream that is canceled while its loop does not ask for rows",
    /whose loop asks for no rows, the next operation got no connection/,
  ],
  "commits instead of a rollback": [
    "a transaction that is canceled while an operation runs",
    /must contain \[\], and contains \[1\]/,
  ],
  "gives a connection back inside a transaction": [
    "a transaction whose function throws is rolled back",
    /still inside a transaction: roll back/,
  ],
  "leaves a transaction of connection() open": [
    "the function of connection() leaves open",
    /still inside a transaction: roll back/,
  ],
  "gives back a connection whose context has ended": [
    "connections: the connection of a function",
    /was not closed, so that its locks and settings reach the next caller/,
  ],
  "keeps the place of a connection that broke": [
    "an operation whose connection is cut at any step",
    /no operation succeeds any more/,
  ],
  "refuses a clean-up after the end of its context": [
    "connections: the function of connection() can clean up",
    /must run there, but it rejected with AbortError/,
  ],
};

test.each(breaches)("an adapter that %s fails the test for it", async (breach) => {
  const { server, adapter } = await describeToy(breach);
  onTestFinished(() => server.close());
  const [only, message] = findings[breach];
  const { passed, failed } = await runAdapterTests(adapter, {
    only: only === PROCESS ? new RegExp(`${RECEIPTS}|${PROCESS}`) : only,
    timeLimit: 6_000,
  });
  expect(passed.length + failed.length).toBe(only === PROCESS ? 2 : 1);
  expect(failed.map(({ error }) => error.message).join("\n")).toMatch(message);
});

test("an adapter that documents that it drops late results fails the test for it if it returns one", async () => {
  const title = "a result that arrives before the stop is dropped";
  for (const breach of ["drops a result that was faster than its stop", undefined] as const) {
    const { server, adapter } = await describeToy(breach);
    onTestFinished(() => server.close());
    const documented = { ...adapter.documented, lateResults: "dropped" } as const;
    const { passed, failed } = await runAdapterTests(
      { ...adapter, documented },
      { only: title, timeLimit: 6_000 },
    );
    expect(passed).toHaveLength(breach === undefined ? 0 : 1);
    expect(failed.map(({ error }) => error.message)).toEqual(
      breach === undefined ? [expect.stringMatching(/reject with ctx\.err\(\)/)] : [],
    );
  }
});

test("an adapter without optional parts has the tests for them skipped, with the reason", async () => {
  const { server, basics } = await describeToy();
  onTestFinished(() => server.close());
  const { passed, failed, skipped } = await runAdapterTests(basics, { cancels: 50 });
  expect(failed).toEqual([]);
  expect(passed.length).toBeGreaterThan(5);
  const lateStop = skipped.find(({ name }) => name.startsWith("late stops: a late stop of an op"));
  expect(lateStop?.reason).toBe("the description has no `isStopRequest`");
  expect(skipped.map(({ reason }) => reason)).toContain("the description has no `stream`");
});
