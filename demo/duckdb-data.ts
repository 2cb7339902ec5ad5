import { DuckDBInstance, type DuckDBConnection } from "@duckdb/node-api";
import { spread } from "./spread.ts";

/** Visitors in DuckDB; the most the report may span. */
export const visitors = 20_000;
const visitsEach = 100;
const pages = 200;

/** How far into a visit people go from one page to another. $1: how many visitors. */
export const duckdbReport = `
select a.page, b.page as later_page, count(*)::int as visits, avg(b.minute - a.minute) as minutes
from visits a join visits b on b.visitor = a.visitor and b.minute > a.minute
where a.visitor < $1 and b.visitor < $1
group by a.page, b.page
order by visits desc, a.page, b.page
limit 5`;

/**
 * An in-memory DuckDB with `visits`: the same rows for the same seed.
 * The caller closes it, and only when no query is running.
 */
export async function openDuckdb(seed: number): Promise<DuckDBInstance> {
  // One thread: a query then costs one core at a time, as in the other engines.
  const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
  const connection = await instance.connect();
  await connection.run(`
    create table visits as
      select (n // ${visitsEach})::int as visitor,
             (n % ${visitsEach})::int as minute,
             (${spread("n", seed, pages).replaceAll(" / ", " // ")})::int as page
      from range(${visitors * visitsEach}) t(n)`);
  connection.closeSync();
  return instance;
}

/**
 * A new connection (about 1 ms) whose `progress` tells whether a query is
 * running on it; without these settings it always says that none is. They can't
 * be set for the whole instance. The caller closes it, and only when it is
 * idle: the promise of a query in flight would never settle.
 */
export async function connectDuckdb(instance: DuckDBInstance): Promise<DuckDBConnection> {
  const connection = await instance.connect();
  await connection.run(`
    set enable_progress_bar = true;
    set enable_progress_bar_print = false;
    set progress_bar_time = 0`);
  return connection;
}
