/** The driver's methods that run one statement, given as SQL or prepared. */
import type { ConnectionSource, Statement } from "../adapter/index.ts";
import type { Context } from "../index.ts";
import { show } from "../internal.ts";
import { runOperation } from "./engine.ts";
import type { ConnectionLike, PreparedLike, StreamConfig } from "./types.ts";

/** The connection on which each statement was prepared, and its SQL. The driver tells neither. */
const connectionOfPrepared = new WeakMap<object, ConnectionLike>();
const textOfPrepared = new WeakMap<object, string>();

/** Returns the driver's methods for statements, with the context as their first parameter. */
export function driverMethods<C extends ConnectionLike>(
  source: ConnectionSource<C>,
): Readonly<Record<string, Statement>> {
  const read =
    (name: "run" | "runAndRead" | "runAndReadAll" | "runAndReadUntil") =>
    async (ctx: Context, query: string | PreparedLike, ...rest: never[]): Promise<unknown> => {
      const what = queryText(query);
      return runOperation(ctx, source, what, async (connection) => {
        if (typeof query === "string") return await connection[name](query, ...rest);
        const [until, ...values] = rest;
        if (name !== "runAndReadUntil") return await bindValues(connection, query, rest)[name]();
        return await bindValues(connection, query, values)[name](until as never);
      });
    };
  return {
    run: read("run"),
    runAndRead: read("runAndRead"),
    runAndReadAll: read("runAndReadAll"),
    runAndReadUntil: read("runAndReadUntil"),
    prepare: (ctx: Context, sql: string) =>
      runOperation(ctx, source, queryText(sql), async (connection) => {
        const statement = await connection.prepare(sql);
        connectionOfPrepared.set(statement, connection);
        textOfPrepared.set(statement, sql);
        return statement;
      }),
  };
}

/** Starts a stream of the driver, and returns its batches: rows as objects, or as `read` says. */
export async function openBatches(
  connection: ConnectionLike,
  [query, ...rest]: readonly unknown[],
): Promise<AsyncIterator<readonly unknown[]>> {
  const { sql, read = "yieldRowObjectJs" } = streamConfig(query);
  const values = rest as never[];
  const result =
    typeof sql === "string"
      ? await connection.stream(sql, ...values)
      : await bindValues(connection, sql, values).stream();
  if (read !== "chunks") return result[read]();
  return wrapChunks(result);
}

/** Each chunk is a batch of its own, which contains one item. */
async function* wrapChunks(result: AsyncIterable<unknown>): AsyncGenerator<[chunk: unknown]> {
  for await (const chunk of result) yield [chunk];
}

function streamConfig(query: unknown): StreamConfig<ConnectionLike> {
  const { sql } = query as Partial<StreamConfig<ConnectionLike>>;
  return sql === undefined ? { sql: query as string | PreparedLike } : (query as never);
}

/** Returns the SQL of a query, for the ledger. Throws a TypeError if `query` is none. */
export function queryText(query: unknown): string {
  const { sql = query } = Object(query) as { sql?: unknown };
  const text = typeof sql === "string" ? sql : textOfPrepared.get(Object(sql) as object);
  if (text !== undefined) return text;
  throw new TypeError(
    `a query is SQL or a statement that prepare(ctx, sql) returned, got ${show(sql)}; write run(ctx, sql, values)`,
  );
}

/**
 * Binds the values and returns the statement. Called in the operation's turn, because a statement has
 * one set of values. Clears the values of the last caller first.
 */
function bindValues(
  connection: ConnectionLike,
  statement: PreparedLike,
  values: never[],
): PreparedLike {
  if (connectionOfPrepared.get(statement) !== connection) {
    throw new TypeError(
      "this statement was prepared on another connection; use it there, or prepare it on this one with prepare(ctx, sql)",
    );
  }
  statement.clearBindings();
  if (values.length > 0) statement.bind(...values);
  return statement;
}
