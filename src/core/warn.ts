/** Process warnings, on platforms that have them. */

export interface WarningOptions {
  readonly type: string;
  /** A stable code, for programs that compare strings. */
  readonly code: string;
  /** The lines below the message. */
  readonly detail?: string;
}

interface Platform {
  process?: { emitWarning?: (message: string, options: WarningOptions) => void };
  console?: { warn?: (text: string) => void };
}

/** Emits a process warning. Without a process, as in browsers, prints it on the console. */
export function warn(message: string, options: WarningOptions): void {
  const { process, console } = globalThis as Platform;
  if (process?.emitWarning) process.emitWarning(message, options);
  else console?.warn?.([`[${options.code}] ${message}`, options.detail].join("\n"));
}
