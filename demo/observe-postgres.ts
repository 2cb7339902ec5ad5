import pg from "pg";
import type { Spans, StopWatching } from "./observe.ts";

interface Row {
  pid: number;
  /** The number of the request that the latest statement belongs to. */
  request: number;
  active: boolean;
  /** When the latest statement began, in ms since 1970. */
  began: number;
  /** When `state` last changed: for an idle backend, when its statement ended. */
  changed: number;
}

// A pooled connection's `query` remains that of its latest statement, and so
// says of an idle backend too which report it was that ended.
const look = `/* watch */
select pid, substring(query from 'report (\\d+)')::int as request, state = 'active' as active,
  extract(epoch from query_start)::float8 * 1000 as began,
  extract(epoch from state_change)::float8 * 1000 as changed
from pg_stat_activity
where query like '/* report %'`;

/** The text of a statement, marked so that `pg_stat_activity` tells whose it is. */
export function marked(sql: string, request: number): string {
  return `/* report ${request} */ ${sql}`;
}

/**
 * Records the report queries that PostgreSQL itself lists as active in
 * `pg_stat_activity`, asked on a connection of its own every `every` ms. They
 * must be `marked`; the worker of a span is the number of the request.
 *
 * Busy means: between the server's own `query_start` and the `state_change`
 * back to idle. Both are the server's timestamps, to the microsecond, so the
 * times do not depend on how often we ask; a report that began and ended between
 * two looks, with another one after it on the same connection, is not seen. The
 * server must run on this machine: the clocks are taken to be one.
 *
 * Rejects if it can't connect.
 */
export async function watchPostgres(url: string, spans: Spans, every = 5): Promise<StopWatching> {
  const client = new pg.Client({ connectionString: url, application_name: "eightysix demo watch" });
  client.on("error", () => undefined); // the server is being stopped
  await client.connect();
  const seen = new Map<number, Row>();
  let stopping = false;
  const loop = (async () => {
    while (!stopping) {
      const { rows } = await client.query<Row>({ name: "look", text: look });
      record(rows, seen, spans);
      await new Promise((resolve) => setTimeout(resolve, every));
    }
  })().catch(() => undefined); // likewise
  return async () => {
    stopping = true;
    await loop;
    await client.end().catch(() => undefined);
  };
}

function record(rows: readonly Row[], seen: Map<number, Row>, spans: Spans): void {
  const toLocal = performance.now() - Date.now();
  const gone = new Map(seen);
  for (const row of rows) {
    const { pid, request, active, began, changed } = row;
    const before = seen.get(pid);
    gone.delete(pid);
    seen.set(pid, row);
    if (before?.began !== began) {
      if (before !== undefined) spans.end("postgres", before.request, began + toLocal);
      // One that ended before our first look may be from before we watched.
      if (active || before !== undefined) spans.begin("postgres", request, began + toLocal);
    }
    if (!active) spans.end("postgres", request, changed + toLocal);
  }
  for (const [pid, { request }] of gone) {
    spans.end("postgres", request, performance.now()); // its connection is closed
    seen.delete(pid);
  }
}
