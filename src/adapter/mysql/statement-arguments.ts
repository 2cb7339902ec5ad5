/** The arguments of one statement, as the user writes them after the context. */
import { show } from "../../internal.ts";

export type StatementArguments = readonly [
  sqlOrOptions: string | { readonly sql: string },
  values?: unknown,
];

/** Throws a TypeError unless these can be the arguments of `method`. */
export function checkStatement(method: string, [sql, values]: StatementArguments): void {
  const text: unknown = typeof sql === "object" ? (sql as { sql?: unknown } | null)?.sql : sql;
  if (typeof text !== "string") {
    throw new TypeError(
      `${method}(ctx, …) takes SQL or an options object with a string in \`sql\`, got ${show(sql)}`,
    );
  }
  if (typeof (sql as { onResult?: unknown }).onResult === "function") {
    throw new TypeError(
      `${method}(ctx, …) takes SQL or an options object, got a Query; pass its SQL and values`,
    );
  }
  if (typeof values === "function") {
    throw new TypeError(`${method}(ctx, …) returns a promise; leave the callback out`);
  }
}

export function sqlTextOf([sql]: StatementArguments): string {
  return typeof sql === "string" ? sql : sql.sql;
}
