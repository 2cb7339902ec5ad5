/** What the adapters of mysql2 and mariadb each implement for their driver. */
import type { KillTarget } from "./kill.ts";
import type { StatementArguments } from "./statement-arguments.ts";

export interface MysqlDriver<C> {
  /** The first part of a kind of work, such as "mysql2" in "mysql2.query". */
  readonly name: string;
  /** The names of the driver's own methods that the adapter offers with a context. */
  readonly methods: readonly string[];
  wrap(connection: C): MysqlConnection;
}

/** A driver's pool. */
export interface MysqlPool<C> {
  take(): PromiseLike<C>;
  giveBack(connection: C): void;
}

/** A driver's connection. */
export interface MysqlConnection extends KillTarget {
  /** Calls one of the driver's methods. */
  call(method: string, args: StatementArguments): Promise<unknown>;
  /** Sends a statement of the adapter's own, such as COMMIT. */
  execute(sql: string): Promise<unknown>;
  /** Sends a query. Calls `onRow` for each row, and `onEnd` once, after the last row. */
  read(
    args: StatementArguments,
    onRow: (row: unknown) => void,
    onEnd: (error?: Error) => void,
  ): PausableRows;
  /**
   * Returns whether a transaction is open, or `undefined` if the driver does not know. `result` is
   * what `call` has resolved with. Without it, the state after the last `execute` counts, which is
   * always known.
   */
  isInTransaction(result?: unknown): boolean | undefined;
  /** Returns whether what `call` has resolved with has rows, even if their number is 0. */
  hasRows(result: unknown): boolean;
  /** Whether the driver is still busy with a statement, although its promise has settled. */
  isBusy(): boolean;
  /** Closes the socket at once, whatever is running, without telling the server. Never throws. */
  destroy(): void;
}

/** The rows of one query while they arrive. */
export interface PausableRows {
  /** Holds the rows back. Some may still arrive. */
  pause(): void;
  resume(): void;
}
