/** The errors and warnings that reach the process although the code under test should handle them. */
import { afterEach, beforeEach, expect } from "vitest";

/** What has reached the process in the running test. A test removes what it expects. */
export interface Escapes {
  /** Unhandled rejections and uncaught exceptions. */
  readonly errors: unknown[];
  /** Process warnings. Node does not print them meanwhile. */
  readonly warnings: Error[];
}

/**
 * Fails each test of the file in which an error or a warning reaches the process. Warnings with a code
 * in `expected` are ignored. `expected` is cleared after each test.
 */
export function failOnEscapes(expected = new Set<unknown>()): Escapes {
  const errors: unknown[] = [];
  const warnings: Error[] = [];
  const printers = process.listeners("warning");
  const onError = (error: unknown): void => void errors.push(error);
  const onWarning = (warning: Error): void => {
    if (!expected.has((warning as { code?: unknown }).code)) warnings.push(warning);
  };
  beforeEach(() => {
    process.on("unhandledRejection", onError).on("uncaughtException", onError);
    for (const printer of printers) process.off("warning", printer);
    process.on("warning", onWarning);
  });
  afterEach(() => {
    process.off("unhandledRejection", onError).off("uncaughtException", onError);
    process.off("warning", onWarning);
    for (const printer of printers) process.on("warning", printer);
    expected.clear();
    expect([...errors.splice(0), ...warnings.splice(0)]).toEqual([]);
  });
  return { errors, warnings };
}
