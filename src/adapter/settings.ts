/** The options that the SQL adapters of servers share. Each adapter documents what they mean for its server. */
import { checkOptions, show } from "../internal.ts";
import type { OperationEnd } from "./operation.ts";
import { STOP_TIMEOUT } from "./stoppable.ts";

/**
 * What happens to a connection after an operation on it was asked to stop.
 *
 * - "auto": it is used again if the stop was proven, and closed otherwise.
 * - "reuse": it is used again.
 * - "destroy": it is closed.
 */
export type OnCancel = "auto" | "reuse" | "destroy";

export interface StopOptions {
  /** What happens to the connection after a stop. The default is "auto". */
  onCancel?: OnCancel;
  /**
   * Milliseconds that the other side may take to stop. If it is zero or negative, the connection is
   * destroyed as soon as the context ends. If the server is told the deadline, its limit is the
   * remaining time plus this number.
   */
  stopTimeout?: number;
  /** Whether the server is told deadlines. The default is false. */
  serverTimeout?: boolean;
}

/** The same options with their defaults. */
export interface Settings {
  readonly onCancel: OnCancel;
  readonly stopTimeout: number;
  readonly serverTimeout: boolean;
}

/**
 * Checks the options and adds the defaults. Throws a TypeError if an option is unknown or wrong.
 * `caller` is the function that the message names.
 */
export function settingsOf(
  options: StopOptions,
  defaultStopTimeout = STOP_TIMEOUT,
  caller = "withContext",
): Settings {
  checkOptions(options, caller, ["onCancel", "stopTimeout", "serverTimeout"]);
  const { onCancel = "auto", stopTimeout = defaultStopTimeout, serverTimeout = false } = options;
  if (!["auto", "reuse", "destroy"].includes(onCancel)) {
    throw new TypeError(`onCancel is "auto", "reuse" or "destroy", got ${show(onCancel)}`);
  }
  if (!Number.isFinite(stopTimeout)) {
    throw new TypeError(`stopTimeout is a finite number of milliseconds, got ${show(stopTimeout)}`);
  }
  if (typeof serverTimeout !== "boolean") {
    throw new TypeError(`serverTimeout is true or false, got ${show(serverTimeout)}`);
  }
  return { onCancel, stopTimeout, serverTimeout };
}

/**
 * Returns whether a connection is closed after an operation that was asked to stop. Call it in
 * `release`. `end` is what `release` is given.
 */
export function closesAfterStop({ onCancel }: Settings, end: OperationEnd): boolean {
  return onCancel === "destroy" || (onCancel === "auto" && !end.proven);
}
