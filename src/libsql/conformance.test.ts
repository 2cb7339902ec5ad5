/** eightysix/libsql and the stopping protocol. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Libsql from "libsql/promise";
import { afterAll, describe } from "vitest";
import { background, type Context } from "../index.ts";
import { holdAdapter } from "../../test/support/conformance.ts";
import { isComputing } from "../../test/support/engine-conformance.ts";
import type { Task, TransactionUnderTest } from "../testing/conformance/index.ts";
import {
  withContext,
  type ContextDatabase,
  type ContextQueries,
  type ContextTransaction,
} from "./index.ts";

/** About how many steps of `WORK` the engine computes in a millisecond. */
const STEPS = 5_000;
/** An expression that is 0, after as many steps as its parameter says. */
const WORK =
  "0 * (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < ?) SELECT count(*) FROM c)";
const steps = (ms: number): number => Math.ceil(ms) * STEPS;

type Queries = Pick<ContextQueries, "all">;

// The texts have no tags: statements with more than a thousand texts are garbage collected, and that
// blocks the event loop.
async function compute(db: Queries, ctx: Context, { i, ms }: Task): Promise<unknown> {
  return Number((await db.all(ctx, `SELECT ? + ${WORK} AS i`, i, steps(ms)))[0]?.["i"]);
}

const insert = (db: Queries, ctx: Context, n: number) =>
  db.all(ctx, "INSERT INTO written VALUES (?)", n);

const transaction = (tx: ContextTransaction): TransactionUnderTest => ({
  run: (ctx, task) => compute(tx, ctx, task),
  write: (ctx, n) => insert(tx, ctx, n),
  nested: (ctx, fn) => tx.transaction(ctx, (inner) => fn(transaction(inner))),
});

const dir = mkdtempSync(join(tmpdir(), "eightysix-libsql-"));
const file = join(dir, "test.db");
/** The database object that reads what the adapter has committed. */
const observed = new Libsql(file, {});
const observer = withContext(observed);
afterAll(() => {
  observed.close();
  rmSync(dir, { recursive: true, force: true });
});

holdAdapter<ContextDatabase>(describe, {
  name: "eightysix/libsql",
  async open() {
    const database = new Libsql(file, {});
    const db = withContext(database);
    await db.all(background(), "CREATE TABLE IF NOT EXISTS written (n INT)");
    return { db, close: async () => database.close() };
  },
  run: compute,
  quick: async (db, ctx, i) => Number((await db.all(ctx, "SELECT ? AS i", i))[0]?.["i"]),
  isRunning: isComputing,
  fail: (db, ctx) => db.all(ctx, "SELECT * FROM no_such_table"),
  isFailure: (error) => String(error).includes("no such table"),
  transaction: (db, ctx, fn) => db.transaction(ctx, (tx) => fn(transaction(tx))),
  async committed() {
    const rows = await observer.all(background(), "DELETE FROM written RETURNING n");
    return rows.map((row) => Number(row["n"]));
  },
  connection: (db, ctx, fn) =>
    db.connection(ctx, (own) =>
      fn({
        run: (ctx, task) => compute(own, ctx, task),
        begin: (ctx) => own.all(ctx, "BEGIN"),
        write: (ctx, n) => insert(own, ctx, n),
      }),
    ),
  stream: (db, ctx, { count, ms }) =>
    db.stream(
      ctx,
      `WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < ?) SELECT n + ${WORK} AS n FROM r`,
      count,
      steps(ms * count),
    ) as AsyncIterable<{ n: number }>,
});
