/** Fetching the rows of a statement, which the driver does on the event loop. */
import { setImmediate } from "node:timers/promises";
import type { Row, StatementLike } from "./types.ts";

export type RowIterator = Iterator<unknown>;

/** A statement and its parameters. */
export interface BoundStatement {
  readonly statement: StatementLike;
  readonly params: unknown;
  /** Called when the statement has started or has failed to start. May be called again. */
  readonly onStarted?: () => void;
}

/** Starts the statement. Resolves when the engine has its first row. */
export async function startStatement(bound: BoundStatement): Promise<RowIterator> {
  try {
    return (await bound.statement.iterate(bound.params))[Symbol.iterator]();
  } finally {
    bound.onStarted?.();
  }
}

/** Milliseconds for which rows are fetched before the event loop gets its turn. */
const SLICE = 10;

/**
 * Returns the rows that can be fetched within one slice, and whether those were the last. Must not be
 * called again after that, because the driver would run the statement again.
 */
export function nextRows(rows: RowIterator): { slice: Row[]; done: boolean } {
  const slice: Row[] = [];
  const sliceEnd = performance.now() + SLICE;
  do {
    const step = rows.next();
    if (step.done === true) return { slice, done: true };
    slice.push(step.value as Row);
  } while (performance.now() < sliceEnd);
  return { slice, done: false };
}

/**
 * Returns all rows. Reads to the end or to an error even if the context ends: a statement that is not
 * finished holds its locks and keeps interrupts in force until it is garbage collected. A stop arrives
 * here as an error, which the interrupt causes.
 */
export async function allRows(rows: RowIterator): Promise<Row[]> {
  const all: Row[] = [];
  for (;;) {
    const { slice, done } = nextRows(rows);
    for (const row of slice) all.push(row);
    if (done) return all;
    await setImmediate();
  }
}
