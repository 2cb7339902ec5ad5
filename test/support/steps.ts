/** The steps of `eightysix/testing/conformance`, for tests of this project. */
import { onTestFinished } from "vitest";
import {
  startRelay as start,
  type Address,
  type Relay,
  type Split,
} from "../../src/testing/conformance/index.ts";

export {
  cancelAtEveryStep,
  chunks,
  mysqlPackets,
  postgresMessages,
  type Relay,
  type Split,
  type SteppedOperation as Operation,
  type SteppedOutcome as Outcome,
} from "../../src/testing/conformance/index.ts";

/** Starts a relay that ends with the test. */
export async function startRelay(target: Address, split: Split): Promise<Relay> {
  const relay = await start(target, split);
  onTestFinished(() => relay.close());
  return relay;
}
