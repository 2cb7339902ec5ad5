import { median } from "../measure/cpu.ts";
import { markdown } from "../report/print.ts";
import type { Row } from "./server.ts";

/** What one Node measured. */
export interface Column {
  name: string;
  /** Whether the promises are held to here. */
  gated: boolean;
  rows: Row[];
}

/** How much of the bare handler's rate is left: the median over the pairs of slices. */
function share({ slices }: Row): number {
  return median(slices.map(({ bare, way }) => way.perCpuSecond / bare.perCpuSecond));
}

/** Microseconds of CPU time. */
function more({ slices }: Row): number {
  return median(slices.map(({ bare, way }) => 1e6 / way.perCpuSecond - 1e6 / bare.perCpuSecond));
}

/** `undefined` where nothing was promised. */
function verdict(row: Row, rows: Row[]): boolean | undefined {
  if (row.atLeast === undefined) return undefined;
  const other = rows.find(({ name }) => name === row.notBelow);
  return share(row) >= Math.max(row.atLeast, other === undefined ? 0 : share(other));
}

export function isKept({ gated, rows }: Column): boolean {
  return !gated || rows.every((row) => verdict(row, rows) !== false);
}

export function table(framework: string, columns: Column[]): string {
  const [first] = columns;
  const body = (first?.rows ?? []).map(({ name, atLeast }, n) => [
    name,
    atLeast === undefined ? "" : `≥ ${atLeast}`,
    ...columns.flatMap(({ rows }) => {
      const row = rows[n];
      if (row === undefined) return [];
      const kept = verdict(row, rows);
      return [
        Math.round(median(row.slices.map(({ way }) => way.perSecond))).toLocaleString("en-US"),
        share(row).toFixed(3),
        more(row).toFixed(1),
        kept === undefined ? "" : kept ? "met" : "NOT MET",
      ];
    }),
  ]);
  const heads = columns.flatMap(({ name }) => [`${name}, requests/s`, "of bare", "more", ""]);
  return markdown([framework, "promise", ...heads], body);
}
