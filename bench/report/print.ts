import type { Results } from "../measure/results.ts";
import type { Gate } from "./gates.ts";
import type { Table } from "./rows.ts";

/** One column of results: the figures of one Node, and Go's. */
export interface Column {
  name: string;
  gated: boolean;
  results: Results;
}

/** Formats a figure as 0.26, 4.9, 31 or 1,234. */
function number(x: number): string {
  const rounded = Math.abs(x) < 0.05 ? 0 : x;
  if (Math.abs(rounded) >= 100) return Math.round(rounded).toLocaleString("en-US");
  return rounded === 0 ? "0" : rounded.toFixed(rounded < 1 ? 2 : 1);
}

const times = (x: number): string =>
  `${x < 10 ? x.toFixed(x < 1 ? 2 : 1) : Math.round(x).toLocaleString("en-US")}×`;

/**
 * Returns a Markdown table that is also readable in a terminal: first column left, the others
 * right.
 */
export function markdown(header: string[], body: string[][]): string {
  const widths = header.map((h, i) =>
    Math.max(h.length, 3, ...body.map((row) => row[i]?.length ?? 0)),
  );
  const line = (cells: string[]) =>
    `| ${widths.map((w, i) => (i === 0 ? (cells[i] ?? "").padEnd(w) : (cells[i] ?? "").padStart(w))).join(" | ")} |`;
  const rule = widths.map((w, i) => (i === 0 ? "-".repeat(w) : `${"-".repeat(w - 1)}:`));
  return [line(header), line(rule), ...body.map(line)].join("\n");
}

function printTable(table: Table, columns: Column[]): string | undefined {
  const body = table.rows
    .filter(({ of }) =>
      columns.some(({ results }) => results.value(of) !== undefined || failed(results, of)),
    )
    .map(({ label, of, vs }) => [
      label,
      ...columns.flatMap(({ results }) => {
        const value = results.value(of);
        if (value === undefined) return [failed(results, of) ? "failed" : "", ""];
        const ratio = vs !== undefined && vs !== of ? results.ratio(of, vs) : undefined;
        return [number(value), ratio === undefined ? "" : times(ratio)];
      }),
    ]);
  if (body.length === 0) return undefined;
  return markdown(
    [`${table.title}, ${table.unit}`, ...columns.flatMap(({ name }) => [name, "×"])],
    body,
  );
}

const failed = (results: Results, ref: string): boolean =>
  results.failures.has(ref.split("#")[0] ?? "");

function figure({ of, over, less }: Gate, results: Results): number | undefined {
  const value = over === undefined ? results.value(of) : results.ratio(of, over);
  const loop = less === undefined ? 0 : results.value(less);
  return value === undefined || loop === undefined ? undefined : Math.max(0, value - loop);
}

export type Verdict = "met" | "NOT MET" | "not measured";

export function judge(
  gate: Gate,
  results: Results,
): { value: number | undefined; verdict: Verdict } {
  const value = figure(gate, results);
  if (value === undefined)
    return { value, verdict: failed(results, gate.of) ? "NOT MET" : "not measured" };
  const met = value <= (gate.atMost ?? Infinity) && value >= (gate.atLeast ?? -Infinity);
  return { value, verdict: met ? "met" : "NOT MET" };
}

function printGates(columns: Column[], gates: Gate[]): string | undefined {
  const body = gates.flatMap((gate) => {
    const judged = columns.map(({ results }) => judge(gate, results));
    if (judged.every(({ verdict }) => verdict === "not measured")) return [];
    const limit = gate.atMost !== undefined ? `≤ ${gate.atMost}` : `≥ ${gate.atLeast}`;
    const cells = judged.flatMap(({ value, verdict }) => [
      value === undefined ? "" : number(value),
      verdict,
    ]);
    return [[gate.promise, limit, ...cells]];
  });
  if (body.length === 0) return undefined;
  const names = columns.flatMap(({ name, gated }) => [gated ? name : `${name} (shown)`, ""]);
  return markdown(["Promise", "", ...names], body);
}

export function report(columns: Column[], tables: Table[], gates: Gate[]): string {
  const failures = columns.flatMap(({ name, results }) =>
    [...results.failures].map(([id, reason]) => `${id} failed on ${name}: ${reason}`),
  );
  return [
    ...tables.map((table) => printTable(table, columns)),
    printGates(columns, gates),
    failures.join("\n"),
  ]
    .filter((part) => part !== undefined && part !== "")
    .join("\n\n");
}
