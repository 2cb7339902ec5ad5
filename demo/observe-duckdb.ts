import type { DuckDBConnection } from "@duckdb/node-api";
import { sample, type Spans, type StopWatching } from "./observe.ts";

/**
 * Records what DuckDB says of its connections, asked every `every` ms.
 *
 * Busy means: DuckDB reports a progress for the connection, which it does from
 * a query's first step of execution (planning comes before that: 2–10 ms) until
 * its result or its interruption. The connections must come from
 * `connectDuckdb`; `connections` says which request has which, and may change
 * between looks. The worker of a span is the number of the request.
 */
export function watchDuckdb(
  connections: ReadonlyMap<DuckDBConnection, number>,
  spans: Spans,
  every = 2,
): StopWatching {
  const look = (): number[] => {
    const busy = [];
    for (const [connection, request] of connections) {
      if (connection.progress.percentage >= 0) busy.push(request);
    }
    return busy;
  };
  return sample("duckdb", spans, look, every);
}
