import { test } from "vitest";
import { testPool, observer, mark, until } from "../support/postgres.ts";
import { testSql } from "../support/postgresjs.ts";
import { background, withCancel } from "../../src/index.ts";
import { withContext } from "../../src/pg/index.ts";
import { withContext as withPostgres } from "../../src/postgres/index.ts";

const ROUNDS = 125;
test.each(["pg", "postgres"])("retirements of %s", async (driver) => {
  const look = await observer();
  let opened = 0;
  const pool = testPool({ max: 8 });
  pool.on("connect", () => opened++);
  const sql = testSql({ max: 8 });
  const pg = withContext(pool);
  const pjs = withPostgres(sql);
  const seen = new Set<number>();
  for (const old of [true, false]) {
    for (const age of [0, 150]) {
      opened = 0; seen.clear();
      let stops = 0;
      const start = performance.now();
      for (let r = 0; r < ROUNDS; r++) {
        const m = mark();
        const ctx = withCancel(background());
        const all = Array.from({ length: 8 }, () =>
          driver === "pg" ? pg.query(ctx, `select pg_sleep(60) ${m}`) : pjs.query(ctx, sql.unsafe(`select pg_sleep(60) ${m}`)));
        const done = Promise.allSettled(all);
        await until(async () => (await look.running(m)) === 8);
        if (driver !== "pg") { const { rows } = await look.query<{ pid: number }>(`select pid from pg_stat_activity where query like '%${m}%' and pid <> pg_backend_pid()`); for (const { pid } of rows) seen.add(pid); }
        if (age > 0) await new Promise((f) => setTimeout(f, age));
        ctx.cancel();
        await done;
        stops += 8;
      }
      const total = driver === "pg" ? opened : seen.size;
      console.error(`RESULT ${driver} ${process.env["OLD"] ?? "new"} age ${age}: ${stops} stops, ${total} connections opened (first 8 included the first time), ${Math.round(performance.now() - start)} ms`);
    }
    break;
  }
}, 600_000);
