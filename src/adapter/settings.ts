/** The options that the SQL adapters of servers share. Each adapter documents what they mean for its server. */
import { checkOptions, show } from "../internal.ts";
import { STOP_TIMEOUT } from "./stoppable.ts";

export interface StopOptions {
  /** What happens to the connection after a stop. The default is "reuse". */
  onCancel?: "reuse" | "destroy";
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
  readonly destroyOnCancel: boolean;
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
  const { onCancel = "reuse", stopTimeout = defaultStopTimeout, serverTimeout = false } = options;
  if (onCancel !== "reuse" && onCancel !== "destroy") {
    throw new TypeError(`onCancel is "reuse" or "destroy", got ${show(onCancel)}`);
  }
  if (!Number.isFinite(stopTimeout)) {
    throw new TypeError(`stopTimeout is a finite number of milliseconds, got ${show(stopTimeout)}`);
  }
  if (typeof serverTimeout !== "boolean") {
    throw new TypeError(`serverTimeout is true or false, got ${show(serverTimeout)}`);
  }
  return { destroyOnCancel: onCancel === "destroy", stopTimeout, serverTimeout };
}
