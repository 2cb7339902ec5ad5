/** What the adapter asks the server about a connection, before the first statement that needs it. */
import { withTimeout, type Context } from "../../index.ts";
import { canEnd } from "../../internal.ts";
import type { Settings } from "../settings.ts";
import { runUnstoppable } from "../unstoppable.ts";
import type { MysqlConnection } from "./driver.ts";
import { hasOwnLimit, noteOwnLimit, readOwnLimit } from "./own-limit.ts";
import { hasHints, NO_LIMIT, timeLimit, type TimeLimit } from "./server-timeout.ts";
import { sqlTextOf, type StatementArguments } from "./statement-arguments.ts";
import { hasReadThread, readThread } from "./thread.ts";

export interface PreparationOptions {
  /** The kind of work that a question is, such as "mysql2.query". */
  readonly kind: string;
  readonly connection: MysqlConnection;
  readonly settings: Settings;
  /** Destroys the connection. Never throws. */
  readonly destroy: () => void;
}

/** The answers belong to the driver's connection, so each question is asked once for each of them. */
export class Preparation {
  readonly #options: PreparationOptions;

  constructor(options: PreparationOptions) {
    this.#options = options;
  }

  /**
   * Asks what has to be known before a statement. Nothing else may run on the connection. Rejects with
   * `ctx.err()` if the server has not answered within the stop timeout after the end of `ctx`.
   */
  async before(ctx: Context, args: StatementArguments): Promise<void> {
    const { connection } = this.#options;
    if (!this.#isComplete && mayNeedKill(ctx, args) && !readsDiagnostics(sqlTextOf(args))) {
      if (!hasReadThread(connection)) {
        const what = "which thread of the server the connection is";
        await this.#ask(ctx, args, what, () => readThread(connection));
      }
      if (this.#replacesLimits && hasOwnLimit(connection) === undefined) {
        const what = "whether the connection has a time limit";
        await this.#ask(ctx, args, what, () => readOwnLimit(connection));
      }
    }
    if (this.#replacesLimits) noteOwnLimit(connection, sqlTextOf(args));
  }

  /** Returns the server's time limit for a statement. Call it right before the statement is sent. */
  limitFor(ctx: Context, sql: string): TimeLimit {
    const { connection, settings } = this.#options;
    if (!settings.serverTimeout) return NO_LIMIT;
    if (this.#replacesLimits && hasOwnLimit(connection) !== false) return NO_LIMIT;
    return timeLimit(ctx, sql, connection.version, settings.stopTimeout);
  }

  get #isComplete(): boolean {
    const { connection } = this.#options;
    const knowsLimit = !this.#replacesLimits || hasOwnLimit(connection) !== undefined;
    return hasReadThread(connection) && knowsLimit;
  }

  /** Whether the server gets limits that replace the user's. */
  get #replacesLimits(): boolean {
    const { connection, settings } = this.#options;
    return settings.serverTimeout && hasHints(connection.version);
  }

  async #ask(
    ctx: Context,
    args: StatementArguments,
    what: string,
    start: () => Promise<void>,
  ): Promise<void> {
    const { kind, destroy, settings } = this.#options;
    const timeout = timeoutOf(args);
    using limited = timeout === undefined ? undefined : withTimeout(ctx, timeout);
    try {
      const question = { kind, what, start, destroy };
      await runUnstoppable(limited ?? ctx, question, settings.stopTimeout);
    } catch (error) {
      if (limited === undefined || ctx.err() !== undefined) throw error;
      // The connection was destroyed, and the statement reports that.
    }
  }
}

/** Returns the milliseconds of the driver's own `timeout` for one statement, if it has one. */
function timeoutOf([options]: StatementArguments): number | undefined {
  const { timeout } = options as { timeout?: unknown };
  return typeof timeout === "number" && timeout > 0 ? timeout : undefined;
}

/** Returns whether the statement can have to be stopped, by its context or by the driver's `timeout`. */
function mayNeedKill(ctx: Context, args: StatementArguments): boolean {
  return canEnd(ctx) || timeoutOf(args) !== undefined;
}

const DIAGNOSTICS = [
  /\b(?:found_rows|row_count)\s*\(/i,
  /\bshow\s+(?:count\s*\(\s*\*\s*\)\s+)?(?:warnings|errors)\b/i,
  /@@\s*(?:session\s*\.\s*)?(?:warning|error)_count\b/i,
  /\bget\s+(?:\w+\s+)?diagnostics\b/i,
];

/**
 * Returns whether the answer depends on the statement before, so that no other may come between them.
 * Such a statement takes no time, and hardly needs to be stopped.
 */
function readsDiagnostics(sql: string): boolean {
  return DIAGNOSTICS.some((pattern) => pattern.test(sql));
}
