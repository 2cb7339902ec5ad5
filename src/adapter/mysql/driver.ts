/** What the adapters of mysql2 and mariadb say of their drivers, and what users say of their calls. */
import type { Target } from "./kill.ts";

/** What a driver's methods take. */
export type Arguments = readonly [
  sqlOrOptions: string | { readonly sql: string },
  values?: unknown,
];

/** A connection of a driver. */
export interface MysqlConnection extends Target {
  /** As the server calls it: "8.4.2", "10.11.6-MariaDB". */
  readonly version: string;
  /** One of the driver's methods. */
  call(method: string, args: Arguments): Promise<unknown>;
  execute(sql: string): Promise<unknown>;
  /** Sends a query, and calls `row` for each row and `end` once, when nothing more will come. */
  read(args: Arguments, row: (row: unknown) => void, end: (error?: Error) => void): Reading;
  /**
   * Whether a transaction is open, as far as the driver knows after it has answered this; after
   * `execute` it does know.
   */
  inTransaction(result: unknown): boolean | undefined;
  /** Whether something is under way, although the last promise has settled. */
  isBusy(): boolean;
  /** Ends it at once, whatever runs there, and without a word to the server. Never throws. */
  destroy(): void;
}

export interface Reading {
  /** Rows may come for a while. */
  pause(): void;
  resume(): void;
}

export interface MysqlDriver<C> {
  /** As in "mysql2.query". */
  readonly name: string;
  /** The methods of its own that it offers with a context. */
  readonly methods: readonly string[];
  wrap(connection: C): MysqlConnection;
}

/** Where connections come from. */
export interface MysqlPool<C> {
  take(): PromiseLike<C>;
  giveBack(connection: C): void;
}

/** Throws a TypeError unless these can be the arguments of a statement; says what to write instead. */
export function needStatement(method: string, [sql, values]: Arguments): void {
  const text: unknown = typeof sql === "object" ? (sql as { sql?: unknown } | null)?.sql : sql;
  if (typeof text !== "string") {
    throw new TypeError(
      `${method}(ctx, …) takes SQL or an options object, got ${text === undefined ? typeof sql : typeof text}`,
    );
  }
  if (typeof (sql as { onResult?: unknown }).onResult === "function") {
    throw new TypeError(`${method}(ctx, …) takes SQL or an options object, not a Query`);
  }
  if (typeof values === "function") {
    throw new TypeError(`${method}(ctx, …) returns a promise; leave the callback out`);
  }
}

export function textOf([sql]: Arguments): string {
  return typeof sql === "string" ? sql : sql.sql;
}
