/** One test of the kit, before a runner runs it. */
import type { Stage, StageOptions } from "./stage.ts";

export interface ConformanceTest {
  /** The group that the test belongs to, such as "receipts". */
  readonly group: string;
  /** A sentence that says what holds. A test that is skipped says what is not tested, and why. */
  readonly name: string;
  /** Why the test is skipped. */
  readonly skipped?: string;
  /** Milliseconds that the test may take. */
  readonly timeLimit: number;
  /** Rejects if the adapter breaks the rule, and if that takes longer than the time limit. */
  readonly run: () => Promise<void>;
}

/** Connects the adapter for one test, and closes it afterwards, within the time limit of the test. */
export type WithStage<Db> = (
  options: StageOptions,
  test: (stage: Stage<Db>) => Promise<void>,
) => Promise<void>;

/** What a group of tests says about one of its tests. */
export interface Draft<Db> {
  readonly name: string;
  /** Why the test is skipped, if it is: "no `stream`". */
  readonly skip?: string | false | undefined;
  /** How many time limits this test may take. The default is one. */
  readonly limits?: number;
  readonly run: (withStage: WithStage<Db>) => Promise<void>;
}
