/** The forms in which mysql2 takes a statement: SQL or options, values, and a callback after either. */
import type { StatementArguments } from "../../adapter/mysql/statement-arguments.ts";
import type { Method } from "../driver.ts";
import type { RowEmitter } from "./row-emitter.ts";

export type Callback = (error: unknown, rows?: unknown, fields?: unknown) => void;

/** A statement on one connection. */
export interface SqlStatement {
  readonly method: Method;
  readonly args: StatementArguments;
  /** Takes the rows, if there is no callback. */
  readonly rows?: RowEmitter | undefined;
  /** Whether the statement belongs to a context. */
  readonly isBound: boolean;
}

/** Anything else that a connection sends, such as a ping. */
export interface OtherCommand {
  readonly start: () => Promise<unknown>;
}

export type Statement = SqlStatement | OtherCommand;

/** Returns whether these are the arguments of a statement. mysql2 throws for most others. */
export function isSqlOrOptions([sql]: readonly unknown[]): boolean {
  return typeof sql === "string" || typeof (Object(sql) as { sql?: unknown }).sql === "string";
}

/** Splits the arguments of `query` and `execute`. Throws a TypeError for a query object. */
export function readArguments(
  method: Method,
  all: readonly unknown[],
): { args: StatementArguments; callback: Callback | undefined } {
  const [sql] = all;
  if (typeof (sql as { onResult?: unknown }).onResult !== "undefined" || isCommand(sql)) {
    throw new TypeError(
      `${method} of a bound connection takes SQL or an options object, got a Query; pass its SQL, values and callback`,
    );
  }
  const callback = all.slice(1, 3).find((argument) => typeof argument === "function");
  const [, values] = all;
  const args = typeof values === "function" || values === undefined ? [sql] : [sql, values];
  return {
    args: args as unknown as StatementArguments,
    callback: callback as Callback | undefined,
  };
}

/** A query object of mysql2 is an emitter. Options are not. */
function isCommand(sql: unknown): boolean {
  return typeof (Object(sql) as { emit?: unknown }).emit === "function";
}

/** Passes an answer of the driver, `[rows, fields]`, to a callback. */
export function deliver(answer: Promise<unknown>, callback: Callback): void {
  answer.then((value) => {
    callback(null, ...(value as [unknown, unknown]));
  }, callback);
}
