/** The ways to send PostgreSQL a query that a context can stop. */
import { DrizzleQueryError, sql as drizzleSql } from "drizzle-orm";
import { drizzle, type NodePgDatabase } from "drizzle-orm/node-postgres";
import pg from "pg";
import postgres from "postgres";
import { onTestFinished } from "vitest";
import { runWithContext } from "../../../src/current/index.ts";
import type { Context } from "../../../src/index.ts";
import {
  bind,
  contextPool,
  withContext as withPg,
  type WithContextOptions,
} from "../../../src/pg/index.ts";
import { withContext as withPostgres } from "../../../src/postgres/index.ts";

export type OnCancel = NonNullable<WithContextOptions["onCancel"]>;

/** The default, which the tests name once, and which a soak replaces. */
export const ON_CANCEL = (process.env["EIGHTYSIX_TEST_ON_CANCEL"] ?? "auto") as OnCancel;

export interface DriverOptions {
  readonly url: string;
  /** How many connections the pool may have. */
  readonly max: number;
  readonly onCancel?: OnCancel;
  readonly stopTimeout?: number;
}

/** Runs SQL that selects one row with the integer `i`, and resolves with it. */
export type Select = (ctx: Context, text: string) => Promise<number>;

export type DriverName = "pg" | "Drizzle over bind" | "Drizzle over contextPool" | "postgres.js";

/** A pool of one driver, which is closed at the end of the test. */
export interface Driver {
  readonly query: Select;
  /** Runs the SQL in a transaction of its own. */
  readonly transaction: Select;
  /** Runs the SQL as a stream, if the driver has one. */
  readonly stream?: Select;
}

interface Row {
  [column: string]: unknown;
  i: number;
}

function pgPool(Pool: typeof pg.Pool, { url, max }: DriverOptions): pg.Pool {
  const pool = new Pool({ connectionString: url, max });
  pool.on("error", () => undefined);
  onTestFinished(() => pool.end());
  return pool;
}

function settings({ onCancel = ON_CANCEL, stopTimeout }: DriverOptions): WithContextOptions {
  return stopTimeout === undefined ? { onCancel } : { onCancel, stopTimeout };
}

async function last(rows: AsyncIterable<object>): Promise<number> {
  let i = NaN;
  for await (const row of rows) ({ i } = row as Row);
  return i;
}

function ofDrizzle(db: NodePgDatabase): Driver {
  const query = async (on: Pick<NodePgDatabase, "execute">, text: string): Promise<number> =>
    (await on.execute<Row>(drizzleSql.raw(text))).rows[0]?.i ?? NaN;
  // The error of a transaction can be that of its ROLLBACK.
  const unwrap = (error: unknown): never => {
    throw error instanceof DrizzleQueryError ? error.cause : error;
  };
  return {
    query: (_, text) => query(db, text).catch(unwrap),
    transaction: (_, text) => db.transaction((tx) => query(tx, text)).catch(unwrap),
  };
}

export const drivers: Record<DriverName, (options: DriverOptions) => Driver> = {
  pg: (options) => {
    const db = withPg(pgPool(pg.Pool, options), settings(options));
    return {
      query: async (ctx, text) => (await db.query<Row>(ctx, text)).rows[0]?.i ?? NaN,
      transaction: (ctx, text) =>
        db.transaction(ctx, async (tx) => (await tx.query<Row>(ctx, text)).rows[0]?.i ?? NaN),
      stream: (ctx, text) => last(db.stream(ctx, text)),
    };
  },
  "Drizzle over bind": (options) => {
    const pool = pgPool(pg.Pool, options);
    const bound = (ctx: Context): Driver => ofDrizzle(drizzle(bind(ctx, pool, settings(options))));
    return {
      query: (ctx, text) => bound(ctx).query(ctx, text),
      transaction: (ctx, text) => bound(ctx).transaction(ctx, text),
    };
  },
  "Drizzle over contextPool": (options) => {
    const db = ofDrizzle(drizzle(pgPool(contextPool(pg.Pool, settings(options)), options)));
    return {
      query: (ctx, text) => runWithContext(ctx, () => db.query(ctx, text)),
      transaction: (ctx, text) => runWithContext(ctx, () => db.transaction(ctx, text)),
    };
  },
  "postgres.js": (options) => {
    const sql = postgres(options.url, {
      max: options.max,
      prepare: false, // in transaction mode another server gets the second query
      fetch_types: false,
      backoff: () => 0.02,
      onnotice: () => undefined,
    });
    onTestFinished(() => sql.end({ timeout: 0 }));
    const db = withPostgres(sql, settings(options));
    return {
      query: async (ctx, text) => (await db.query(ctx, sql.unsafe<Row[]>(text)))[0]?.i ?? NaN,
      transaction: (ctx, text) =>
        db.transaction(
          ctx,
          async (tx) => (await tx.query(ctx, sql.unsafe<Row[]>(text)))[0]?.i ?? NaN,
        ),
      stream: (ctx, text) => last(db.stream(ctx, sql.unsafe<Row[]>(text))),
    };
  },
};

/** All ways to run a statement, as rows of a table of tests. */
export const forms = (Object.keys(drivers) as DriverName[]).flatMap((driver) =>
  (["query", "transaction", "stream"] as const)
    .filter((form) => form !== "stream" || !driver.startsWith("Drizzle"))
    .map((form) => ({ driver, form })),
);
