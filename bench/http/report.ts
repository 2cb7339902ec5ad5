import { median } from "../measure/cpu.ts";
import { markdown } from "../report/print.ts";
import type { Row } from "./server.ts";

/** The figures of one Node. */
export interface Column {
  name: string;
  /** Whether the promises count for this Node. */
  gated: boolean;
  rows: Row[];
}

/** Returns the rate as a share of the bare handler's: the median over the pairs of slices. */
function share({ slices }: Row): number {
  return median(slices.map(({ bare, way }) => way.perCpuSecond / bare.perCpuSecond));
}

/** Returns the additional microseconds of CPU time for each request. */
function more({ slices }: Row): number {
  return median(slices.map(({ bare, way }) => 1e6 / way.perCpuSecond - 1e6 / bare.perCpuSecond));
}

/** Returns whether the promise of a row is met, or `undefined` without a promise. */
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
