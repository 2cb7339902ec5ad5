/**
 * No query is hit by the cancel request of another one, behind poolers that close the connection of a
 * cancel request before they forward it. `npm run soak:poolers` counts with more queries, and with
 * every `onCancel`.
 */
import { expect, test, vi } from "vitest";
import { behaviors, type BehaviorName } from "../support/pooler/behavior.ts";
import { countVictims } from "../support/pooler/count-victims.ts";
import { drivers, ON_CANCEL, type DriverName } from "../support/pooler/drivers.ts";
import { startPooler } from "../support/pooler/pooler.ts";
import { SEED, tell, unhandledRejections } from "../support/race.ts";

const cancels = Number(process.env["EIGHTYSIX_TEST_CANCELS"] ?? 40);

vi.setConfig({ testTimeout: 60_000 + cancels * 500 });

const unhandled = unhandledRejections();

/** Milliseconds from the end of a cancel request's connection until the pooler forwards the request. */
const EARLIEST = Number(process.env["EIGHTYSIX_TEST_EARLIEST"] ?? 5);
const LATEST = Number(process.env["EIGHTYSIX_TEST_LATEST"] ?? 200);

/** In transaction mode there may be victims, whatever a client does. So only a soak runs these. */
const isCertain = (name: BehaviorName): boolean => behaviors[name].pooling === "session";
const names = (Object.keys(behaviors) as BehaviorName[]).filter(
  (name) => isCertain(name) || process.env["EIGHTYSIX_TEST_TOLD"] !== undefined,
);
const rows = names.flatMap((behavior) =>
  (Object.keys(drivers) as DriverName[]).map((driver) => ({ behavior, driver })),
);

test.each(rows)("$behavior: no cancel request hits another query of $driver", async (row) => {
  const { behavior, driver } = row;
  const pooler = await startPooler({
    ...behaviors[behavior],
    seed: SEED,
    hold: (draw) => {
      const ms = EARLIEST + draw() * (LATEST - EARLIEST);
      return new Promise((resolve) => setTimeout(resolve, ms));
    },
  });
  const max = behaviors[behavior].pooling === "session" ? 4 : 8;
  const { query } = drivers[driver]({ url: pooler.url, max });
  const { failures, ...count } = await countVictims(query, { cancels, seed: SEED, workers: max });
  tell({ ...row, ...count, failures: failures.length, connections: pooler.clients.length });
  if (failures.length > 0) throw failures[0];
  if (isCertain(behavior) && ON_CANCEL !== "reuse") expect(count.victims).toBe(0);
  expect(count.canceled).toBeGreaterThan(0);
  expect(unhandled).toEqual([]);
});
