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
import { observer } from "../support/postgres.ts";
import { SEED, tell, unhandledRejections } from "../support/race.ts";

const cancels = Number(process.env["EIGHTYSIX_TEST_CANCELS"] ?? 40);

vi.setConfig({ testTimeout: 60_000 + cancels * 500 });

const unhandled = unhandledRejections();

/** Milliseconds from the end of a cancel request's connection until the pooler forwards the request. */
const EARLIEST = 5;
const LATEST = 200;

/** In transaction mode there may be victims, whatever a client does. So only a soak runs these. */
const isCertain = (name: BehaviorName): boolean => behaviors[name].pooling === "session";
const names = (Object.keys(behaviors) as BehaviorName[]).filter(
  (name) => isCertain(name) || process.env["EIGHTYSIX_TEST_TOLD"] !== undefined,
);
const rows = names.flatMap((behavior) =>
  (Object.keys(drivers) as DriverName[]).map((driver) => ({ behavior, driver })),
);

/** Resolves with the major version of the run's PostgreSQL. */
async function serverVersion(): Promise<number> {
  const { rows } = await (
    await observer()
  ).query<{ server_version_num: string }>("show server_version_num");
  return Math.floor(Number(rows[0]?.server_version_num) / 10_000);
}

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
  // PostgreSQL before 17 signals a backend twice for one request. On a busy machine the second signal can
  // come after the answer to the first, and hit the next query. With "reuse" some eight are hit.
  const most = (await serverVersion()) < 17 ? 1 : 0;
  if (isCertain(behavior) && ON_CANCEL !== "reuse") expect(count.victims).toBeLessThanOrEqual(most);
  expect(count.canceled).toBeGreaterThan(0);
  expect(unhandled).toEqual([]);
});
