/** Prints the result of the two runs as a table. */
import type { RequestReceipt } from "./tally.ts";
import { quantile, type RunResult } from "./traffic.ts";

export interface Results {
  readonly without: RunResult;
  readonly with: RunResult;
  /** The receipts of the requests whose client left the endpoint with contexts. */
  readonly receipts: readonly RequestReceipt[];
}

export function table({ without, with: withContexts, receipts }: Results): string {
  const row = (name: string, of: (result: RunResult) => string): string[] => [
    name,
    of(without),
    of(withContexts),
  ];
  const percentiles = (numbers: readonly number[]): string =>
    numbers.length === 0
      ? "none"
      : [0.5, 0.99, 1].map((q) => ms(q === 1 ? numbers.at(-1) : quantile(numbers, q))).join(" / ");
  const rows = [
    ["", "without contexts", "with contexts"],
    row("requests", (r) => String(r.requests)),
    row("answered", (r) => String(r.answered)),
    row("left", (r) => String(r.left)),
    row("abandoned queries, 100 ms after the last client left", (r) =>
      String(sum(r.abandonedRunning)),
    ),
    row("  PostgreSQL / DuckDB / libsql", (r) => Object.values(r.abandonedRunning).join(" / ")),
    row("database time spent on abandoned queries", (r) => ms(sum(r.abandonedTime))),
    row("  PostgreSQL / DuckDB / libsql", (r) =>
      Object.values(r.abandonedTime).map(ms).join(" / "),
    ),
    row("disconnect to idle, PostgreSQL p50 / p99 / max", (r) => percentiles(r.toIdle.postgres)),
    row("disconnect to idle, DuckDB p50 / p99 / max", (r) => percentiles(r.toIdle.duckdb)),
    row("last disconnect to all three quiet", (r) => ms(r.quietAfter)),
    row("patient clients waited p50 / p99 / max", (r) => percentiles(r.waited)),
    row("goodput, answers per second", (r) => r.goodput.toFixed(2)),
    ["receipts: stopped / others", "none", countReceipts(receipts)],
  ];
  const widths = [0, 1, 2].map((column) =>
    Math.max(...rows.map((cells) => cells[column]?.length ?? 0)),
  );
  return rows
    .map((cells) =>
      cells
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
        .join("   "),
    )
    .join("\n");
}

function countReceipts(receipts: readonly RequestReceipt[]): string {
  const stopped = receipts.filter(({ state }) => state === "stopped").length;
  return `${stopped} / ${receipts.length - stopped}`;
}

function sum(numbers: Readonly<Record<string, number>>): number {
  return Object.values(numbers).reduce((a, b) => a + b, 0);
}

function ms(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return "–";
  return value < 1000
    ? `${value.toFixed(value < 10 ? 1 : 0)} ms`
    : `${(value / 1000).toFixed(1)} s`;
}
