/** Checks arguments. Each message says what was passed and what to write instead. */
import { wrongDriver } from "../adapter/wrong-driver.ts";
import { show } from "../internal.ts";
import { leaseQueryOf, type Pool, type PoolOptions, type Query } from "./driver.ts";

/** Throws a TypeError unless `sql` is the one that `postgres()` returned. */
export function needPool(sql: unknown): asserts sql is Pool {
  const { unsafe, reserve, options } = Object(sql) as Record<string, unknown>;
  const isSql = typeof unsafe === "function";
  if (isSql && typeof reserve === "function" && Object(options) === options) {
    needPipeline(options as PoolOptions);
    return;
  }
  const takes = "the sql that postgres() returned";
  if (!isSql) throw wrongDriver("postgres", takes, sql);
  throw new TypeError(
    `withContext of eightysix/postgres takes ${takes}, got the sql of a transaction or of a reserved connection; pass ${takes}`,
  );
}

/**
 * The driver tells the connection of a query only if fewer than `max_pipeline` queries wait on it. If
 * that is never so, no connection can be taken from its pool.
 */
function needPipeline({ max_pipeline }: PoolOptions): void {
  if (Number(max_pipeline) >= 1) return;
  throw new TypeError(
    `withContext cannot take a sql whose max_pipeline is ${show(max_pipeline)}: with it, sql.begin of postgres.js does not work either; call postgres() with max_pipeline 1 or more, or leave it out`,
  );
}

/** Throws a TypeError unless `query` is a query of `pool` that was not sent yet. */
export function needQuery(query: unknown, pool: Pool, name: string): asserts query is Query {
  const misuse = misuseOf(query, pool, name);
  if (misuse !== undefined) throw new TypeError(misuse);
}

function misuseOf(query: unknown, pool: Pool, name: string): string | undefined {
  const { strings, handler, executed, tagged, cursorFn } = Object(query) as Partial<Query>;
  if (!Array.isArray(strings) || typeof handler !== "function") {
    return `${name}(ctx, …) takes a query of postgres.js, got ${show(query)}; write ${name}(ctx, sql\`select …\`), or stream(ctx, sql\`select …\`) to read rows while they arrive`;
  }
  if (executed === true) {
    return `${name}(ctx, …) takes a query that was not sent yet, got one that was; leave out await, .execute() and .forEach()`;
  }
  if (cursorFn !== undefined) {
    return `${name}(ctx, …) takes a query without .cursor(); write stream(ctx, sql\`select …\`) to read rows while they arrive`;
  }
  if (tagged !== true && strings.length === 0) {
    return `${name}(ctx, …) does not take sql.file; read the file, and pass sql.unsafe(text)`;
  }
  if (handler !== leaseQueryOf(pool).handler) {
    return `${name}(ctx, …) takes queries of the sql that was passed to withContext, got one of another sql, of sql.begin or of sql.reserve; write it with the sql that was passed to withContext`;
  }
  return undefined;
}
