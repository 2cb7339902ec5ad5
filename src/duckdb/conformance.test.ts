/** eightysix/duckdb and the stopping protocol. */
import { DuckDBInstance, type DuckDBConnection } from "@duckdb/node-api";
import { describe } from "vitest";
import type { Context } from "../index.ts";
import { holdAdapter } from "../../test/support/conformance.ts";
import { isComputing } from "../../test/support/engine-conformance.ts";
import type { Task } from "../testing/conformance/index.ts";
import { withContext, type ContextInstance, type ContextQueries } from "./index.ts";

/** About how many rows of `WORK` the engine computes in a millisecond. */
const ROWS = 200_000;
/** An expression that is 0, after the rows of its parameter. */
const work = (ms: number): string =>
  `0 * (SELECT max((range * 31) % 7) FROM range(${Math.ceil(ms * ROWS) + 1}))`;

type Queries = Pick<ContextQueries<DuckDBConnection>, "runAndReadAll">;

async function compute(db: Queries, ctx: Context, { i, ms, tag }: Task): Promise<unknown> {
  const text = `SELECT $1::INT + ${work(ms)} /* ${tag} */`;
  return Number((await db.runAndReadAll(ctx, text, [i])).getRowsJS()[0]?.[0]);
}

const insert = (db: Queries, ctx: Context, n: number) =>
  db.runAndReadAll(ctx, "INSERT INTO written VALUES ($1)", [n]);

/** The connection that reads what the adapter has committed. Each test has an instance of its own. */
let observer: DuckDBConnection;

holdAdapter<ContextInstance<DuckDBConnection>>(describe, {
  name: "eightysix/duckdb",
  async open({ connections }) {
    const instance = await DuckDBInstance.create(":memory:");
    observer = await instance.connect();
    await observer.run("CREATE TABLE written (n INT)");
    return {
      db: withContext(instance, { max: connections }),
      close: async () => instance.closeSync(),
    };
  },
  run: compute,
  async quick(db, ctx, i) {
    return Number((await db.runAndReadAll(ctx, "SELECT $1::INT", [i])).getRowsJS()[0]?.[0]);
  },
  isRunning: isComputing,
  fail: (db, ctx) => db.runAndReadAll(ctx, "SELECT * FROM no_such_table"),
  isFailure: (error) => String(error).includes("Catalog Error"),
  transaction: (db, ctx, fn) =>
    db.transaction(ctx, (tx) =>
      fn({
        run: (ctx, task) => compute(tx, ctx, task),
        write: (ctx, n) => insert(tx, ctx, n),
      }),
    ),
  async committed() {
    const rows = (await observer.runAndReadAll("SELECT n FROM written")).getRowsJS();
    await observer.run("DELETE FROM written");
    return rows.map(([n]) => Number(n));
  },
  connection: (db, ctx, fn) =>
    db.connection(ctx, (own) =>
      fn({
        run: (ctx, task) => compute(own, ctx, task),
        begin: (ctx) => own.run(ctx, "BEGIN"),
        write: (ctx, n) => insert(own, ctx, n),
      }),
    ),
  stream: (db, ctx, { count, ms, tag }) =>
    db.stream(
      ctx,
      `SELECT (range + ${work(ms * count)})::INT AS n /* ${tag} */ FROM range(1, ${count + 1})`,
    ) as AsyncIterable<{ n: number }>,
});
