/** What `withContext` is told, the same for every SQL adapter. Their docs say what it means there. */
import { GRACE } from "./stoppable.ts";

export interface StopOptions {
  onCancel?: "reuse" | "destroy";
  /** Milliseconds. */
  grace?: number;
  serverTimeout?: boolean;
}

/** The same, defaults included. */
export interface Settings {
  readonly destroyOnCancel: boolean;
  readonly grace: number;
  readonly limitOnServer: boolean;
}

/** Throws a TypeError for what is none of them. */
export function settingsOf(options: StopOptions, defaultGrace = GRACE): Settings {
  const { onCancel = "reuse", grace = defaultGrace, serverTimeout = true } = options;
  if (onCancel !== "reuse" && onCancel !== "destroy") {
    throw new TypeError(`onCancel is "reuse" or "destroy", got ${String(onCancel)}`);
  }
  if (!Number.isFinite(grace)) {
    throw new TypeError(`grace is a finite number of milliseconds, got ${String(grace)}`);
  }
  return { destroyOnCancel: onCancel === "destroy", grace, limitOnServer: serverTimeout };
}
