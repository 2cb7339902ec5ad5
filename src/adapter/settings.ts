/** What `withContext` is told, the same for every SQL adapter. Their docs say what it means there. */
import { STOP_TIMEOUT } from "./stoppable.ts";

export interface StopOptions {
  onCancel?: "reuse" | "destroy";
  /** Milliseconds. */
  stopTimeout?: number;
  serverTimeout?: boolean;
}

/** The same, defaults included. */
export interface Settings {
  readonly destroyOnCancel: boolean;
  readonly stopTimeout: number;
  readonly serverTimeout: boolean;
}

/** Throws a TypeError for what is none of them. */
export function settingsOf(options: StopOptions, defaultStopTimeout = STOP_TIMEOUT): Settings {
  const { onCancel = "reuse", stopTimeout = defaultStopTimeout, serverTimeout = true } = options;
  if (onCancel !== "reuse" && onCancel !== "destroy") {
    throw new TypeError(`onCancel is "reuse" or "destroy", got ${String(onCancel)}`);
  }
  if (!Number.isFinite(stopTimeout)) {
    throw new TypeError(
      `stopTimeout is a finite number of milliseconds, got ${String(stopTimeout)}`,
    );
  }
  return { destroyOnCancel: onCancel === "destroy", stopTimeout, serverTimeout };
}
