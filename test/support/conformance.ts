/** The tests of `eightysix/testing/conformance` for an adapter of this package, and for `npm run soak`. */
import { test } from "vitest";
import {
  describeAdapter,
  type AdapterUnderTest,
  type Runner,
} from "../../src/testing/conformance/index.ts";
import { CANCELS, DEFAULT_CANCELS, SEED, tell } from "./race.ts";

/** The groups of tests that depend on whether a connection is used again after a stop. */
export const AFTER_A_STOP: ReadonlySet<string> = new Set([
  "a result that beats its stop",
  "late stops",
]);

/** Returns a `describe` that leaves the groups out that are not in `groups`. */
export function onlyGroups(
  describe: Runner["describe"],
  groups: ReadonlySet<string>,
): Runner["describe"] {
  let isInside = false;
  return (name, fn) => {
    if (isInside) {
      if (groups.has(name)) describe(name, fn);
      return;
    }
    describe(name, () => {
      isInside = true;
      fn();
      isInside = false;
    });
  };
}

/**
 * Holds an adapter to the stopping protocol. `describe` skips the tests if the server is missing.
 * `skipped` has the tests that cannot hold for this adapter, by title, and why.
 */
export function holdAdapter<Db>(
  describe: Runner["describe"],
  adapter: AdapterUnderTest<Db>,
  skipped: Readonly<Record<string, string>> = {},
): void {
  const register = (name: string, fn: () => Promise<void>, timeout?: number): void => {
    const reason = skipped[name];
    if (reason === undefined) test(name, fn, timeout);
    else test.skip(`${name} (not tested: ${reason})`, fn);
  };
  const runner = { describe, test: Object.assign(register, { skip: test.skip }) };
  describeAdapter(runner, adapter, {
    // A soak asks for more. Each adapter has a longer race of its own.
    cancels: CANCELS === DEFAULT_CANCELS ? 500 : CANCELS,
    seed: SEED,
    // The race may take ten times as long.
    timeLimit: 10_000 + CANCELS * 5,
    onRace({ canceled, late, innocent, victims, leaked }) {
      tell({ canceled, late, innocent, victims, leaked });
    },
  });
}
