/** Mistakes in calls, in words that say what to write instead. */
import { leaseOf, type Pool, type Query } from "./driver.ts";

/** Throws a TypeError unless `sql` is what `postgres()` has returned. */
export function needPool(sql: unknown): asserts sql is Pool {
  const { unsafe, reserve, options } = Object(sql) as Record<string, unknown>;
  if (
    typeof unsafe === "function" &&
    typeof reserve === "function" &&
    Object(options) === options
  ) {
    return;
  }
  throw new TypeError(
    "withContext takes the sql that postgres() has returned, not that of a transaction or of a reserved connection",
  );
}

/** Throws a TypeError unless it is a query of `pool`'s that nobody has sent. */
export function needQuery(query: unknown, pool: Pool, name: string): asserts query is Query {
  const misuse = misuseOf(query, pool, name);
  if (misuse !== undefined) throw new TypeError(misuse);
}

function misuseOf(query: unknown, pool: Pool, name: string): string | undefined {
  const { strings, handler, executed, tagged, cursorFn } = Object(query) as Partial<Query>;
  if (!Array.isArray(strings) || typeof handler !== "function") {
    const got = typeof query === "string" ? `"${query}"` : `a value of type ${typeof query}`;
    return `${name}(ctx, …) takes a query of postgres.js, got ${got}; write ${name}(ctx, sql\`select …\`), and use stream for rows as they come`;
  }
  if (executed === true) {
    return `${name}(ctx, …) takes a query that was not sent yet; leave out await, .execute() and .forEach()`;
  }
  if (cursorFn !== undefined) {
    return `${name}(ctx, …) takes a query without .cursor(); stream(ctx, sql\`select …\`) reads rows as they come`;
  }
  if (tagged !== true && strings.length === 0) {
    return `${name}(ctx, …) does not take sql.file; read the file, and use sql.unsafe(text)`;
  }
  if (handler !== leaseOf(pool).handler) {
    return `${name}(ctx, …) takes queries of the sql that was given to withContext, not those of another, of sql.begin or of sql.reserve`;
  }
  return undefined;
}
