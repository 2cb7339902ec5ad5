/** The driver's methods for one statement, given as SQL or prepared. */
import type { Statement } from "../adapter/sessions.ts";
import type { Context } from "../index.ts";
import { operate, type Engine } from "./engine.ts";
import type { ConnectionLike, PreparedLike, StreamConfig } from "./types.ts";

/** Which connection it knows. */
const prepared = new WeakMap<object, ConnectionLike>();
const texts = new WeakMap<object, string>();

export function statementsOf<C extends ConnectionLike>(
  engine: Engine<C>,
): Readonly<Record<string, Statement>> {
  const read =
    (name: "run" | "runAndRead" | "runAndReadAll" | "runAndReadUntil") =>
    async (ctx: Context, sql: string | PreparedLike, ...rest: never[]): Promise<unknown> => {
      const what = needSql(sql);
      return operate(ctx, engine, what, async (connection) => {
        if (typeof sql === "string") return await connection[name](sql, ...rest);
        const [until, ...values] = rest;
        if (name !== "runAndReadUntil") return await bound(connection, sql, rest)[name]();
        return await bound(connection, sql, values)[name](until as never);
      });
    };
  return {
    run: read("run"),
    runAndRead: read("runAndRead"),
    runAndReadAll: read("runAndReadAll"),
    runAndReadUntil: read("runAndReadUntil"),
    prepare: (ctx: Context, sql: string) =>
      operate(ctx, engine, needSql(sql), async (connection) => {
        const statement = await connection.prepare(sql);
        prepared.set(statement, connection);
        texts.set(statement, sql);
        return statement;
      }),
  };
}

/** The batches of a stream: of the driver's objects for rows, or of what was asked for. */
export async function batchesOf(
  connection: ConnectionLike,
  [query, ...rest]: readonly unknown[],
): Promise<AsyncIterator<readonly unknown[]>> {
  const { sql, read = "yieldRowObjectJs" } = configOf(query);
  const values = rest as never[];
  const result =
    typeof sql === "string"
      ? await connection.stream(sql, ...values)
      : await bound(connection, sql, values).stream();
  if (read !== "chunks") return result[read]();
  return chunksOf(result);
}

async function* chunksOf(result: AsyncIterable<unknown>): AsyncGenerator<[chunk: unknown]> {
  for await (const chunk of result) yield [chunk];
}

function configOf(query: unknown): StreamConfig<ConnectionLike> {
  const { sql } = query as Partial<StreamConfig<ConnectionLike>>;
  return sql === undefined ? { sql: query as string | PreparedLike } : (query as never);
}

/** The text of a query, for people. Throws a TypeError if it is none. */
export function needSql(query: unknown): string {
  const { sql = query } = Object(query) as { sql?: unknown };
  const text = typeof sql === "string" ? sql : texts.get(Object(sql) as object);
  if (text !== undefined) return text;
  throw new TypeError(
    `a query is SQL, or what prepare(ctx, sql) has given, got ${typeof sql}; write run(ctx, sql, values)`,
  );
}

/** In the turn in which it runs, and without what the last caller has bound. */
function bound(connection: ConnectionLike, statement: PreparedLike, values: never[]): PreparedLike {
  if (prepared.get(statement) !== connection) {
    throw new TypeError(
      "this statement was prepared on another connection; a connection's own are those of its prepare(ctx, sql)",
    );
  }
  statement.clearBindings();
  if (values.length > 0) statement.bind(...values);
  return statement;
}
