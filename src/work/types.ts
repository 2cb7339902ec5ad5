/** What a program sees of recorded work. */
import type { EndKind } from "../core/end.ts";

/** One piece of work that is running, such as a query. */
export interface WorkInfo {
  /** The kind of work, such as "pg.query". */
  readonly kind: string;
  /** A description for people, such as the SQL text, or a URL without its query. */
  readonly what: string | undefined;
  /** Milliseconds since the work started. */
  readonly running: number;
}

/**
 * The record of one piece of work that was running when its context ended.
 *
 * @example
 * for (const { kind, state, after } of await stopped(ctx)) {
 *   console.log(`${kind}: ${state} after ${after} ms`); // pg.query: stopped after 18 ms
 * }
 */
export interface Receipt {
  /** The kind of work, such as "pg.query". */
  readonly kind: string;
  /** A description for people, such as the SQL text. */
  readonly what: string | undefined;
  /** How long the work had run when its context ended, in milliseconds. */
  readonly ran: number;
  /**
   * - "stopped": the work has ended on the other side as well.
   * - "running": the work is still running.
   * - "abandoned": its connection or thread was given up before the other side confirmed the stop.
   */
  readonly state: "stopped" | "running" | "abandoned";
  /**
   * Milliseconds from the end of the context to the end of the work, or until now if it is still
   * running.
   */
  readonly after: number;
  /** How the context ended. "finished" does not count as a cancellation. */
  readonly reason: EndKind;
}

/** A piece of work that `startWork` has recorded. */
export interface Work {
  /**
   * Records that the work has ended on the other side too, successfully or not. If the caller gave
   * the work up without a confirmation, pass "abandoned". Only the first call counts.
   */
  end(state?: "stopped" | "abandoned"): void;
}
