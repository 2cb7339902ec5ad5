import { expect, test, vi } from "vitest";
import { testClient } from "../../test/support/postgres.ts";
import { CANCELS, race, unhandledRejections } from "../../test/support/race.ts";
import { withContext } from "./index.ts";

vi.setConfig({ testTimeout: 600_000 + CANCELS * 50 });

const unhandled = unhandledRejections();

interface Row {
  i: number;
}
test("late cancel requests on a client do not hit its owner's other queries", async () => {
  const client = await testClient();
  const db = withContext(client, { onCancel: "reuse" });
  await race({
    seed: 0,
    cancels: Math.ceil(CANCELS / 4),
    workers: 1,
    guilty: (ctx, i, seconds) =>
      db
        .query<Row>(ctx, "select $1::int as i, pg_sleep($2)", [i, seconds])
        .then(({ rows }) => rows[0]?.i),
    innocent: (_, i) =>
      client
        .query<Row>("select $1::int as i, pg_sleep(0.0005)", [i])
        .then(({ rows }) => rows[0]?.i),
  });
  expect(unhandled).toEqual([]);
});
