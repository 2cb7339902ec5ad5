/** All tests for one adapter, in their order. What is deterministic comes first, and the race last. */
import type { AdapterUnderTest, ConformanceOptions } from "./adapter.ts";
import { onStage } from "./on-stage.ts";
import { ProcessReports } from "./process-reports.ts";
import { brokenNetwork } from "./rules/broken-network.ts";
import { cutAtEveryStep } from "./rules/cut-at-every-step.ts";
import { connections } from "./rules/connections.ts";
import { doneBefore } from "./rules/done-before.ts";
import { everyStepOf } from "./rules/every-step.ts";
import { foreignErrors } from "./rules/foreign-errors.ts";
import { lateStops } from "./rules/late-stops.ts";
import { leftovers, processReports } from "./rules/leftovers.ts";
import { races } from "./rules/race.ts";
import { receipts } from "./rules/receipts.ts";
import { resultFirst } from "./rules/result-first.ts";
import { silentServer } from "./rules/silent-server.ts";
import { streams } from "./rules/streams.ts";
import { transactions } from "./rules/transactions.ts";
import { waits } from "./rules/waits.ts";
import type { ConformanceTest, Draft } from "./test.ts";

export const TIME_LIMIT = 10_000;
const CANCELS = 500;
const SEED = 86;

export function conformanceTests<Db>(
  adapter: AdapterUnderTest<Db>,
  options: ConformanceOptions = {},
  reports = new ProcessReports(),
): ConformanceTest[] {
  const { timeLimit = TIME_LIMIT, cancels = CANCELS, seed = SEED, onRace } = options;
  const groups: Record<string, Draft<Db>[]> = {
    receipts: receipts(adapter),
    "a context that is done already": doneBefore(adapter),
    "a result that beats its stop": resultFirst(adapter),
    "late stops": lateStops(adapter),
    "a server that never answers": silentServer(adapter),
    "a network that breaks": [...brokenNetwork(adapter), ...cutAtEveryStep(adapter)],
    "the wait for a connection": waits(adapter),
    "errors that no stop has caused": foreignErrors(adapter),
    streams: streams(adapter),
    transactions: transactions(adapter),
    connections: connections(adapter),
    "every step": everyStepOf(adapter),
    leftovers: leftovers(adapter),
    "the race": races(adapter, { cancels, seed, onRace }),
    "the process": processReports(adapter, reports),
  };
  return Object.entries(groups).flatMap(([group, drafts]) =>
    drafts.map(({ name, skip, limits = 1, run }) => ({
      group,
      name: skip ? `${name} (not tested: ${skip})` : name,
      ...(skip ? { skipped: skip } : {}),
      timeLimit: timeLimit * limits,
      run: async () => {
        reports.start();
        const limit = timeLimit * limits;
        await run((stage, test) =>
          onStage(adapter, stage, test, `the test did not end: ${name}`, limit),
        );
      },
    })),
  );
}
