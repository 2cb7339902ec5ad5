/** Fetching rows, which the driver does on the event loop. */
import { setImmediate } from "node:timers/promises";
import type { Row, StatementLike } from "./index.ts";

export type Rows = Iterator<unknown>;

/** A statement, and what is bound to it. */
export interface Bound {
  readonly statement: StatementLike;
  readonly params: unknown;
}

export async function start({ statement, params }: Bound): Promise<Rows> {
  return (await statement.iterate(params))[Symbol.iterator]();
}

/** How long rows are fetched before others get their turn, in milliseconds. */
const SLICE = 10;

/** The next rows, as many as a slice allows. Not to be asked again once it was `done`. */
export function nextRows(rows: Rows): { slice: Row[]; done: boolean } {
  const slice: Row[] = [];
  const ends = performance.now() + SLICE;
  do {
    const step = rows.next();
    if (step.done === true) return { slice, done: true };
    slice.push(step.value as Row);
  } while (performance.now() < ends);
  return { slice, done: false };
}

/**
 * To the end or to an error, whatever the context says: a statement left in the middle would hold
 * its locks and keep interrupts in force until it is collected. A stop reaches us as an interrupt.
 */
export async function allRows(rows: Rows): Promise<Row[]> {
  const all: Row[] = [];
  for (;;) {
    const { slice, done } = nextRows(rows);
    for (const row of slice) all.push(row);
    if (done) return all;
    await setImmediate();
  }
}
