/** What tests of the adapters' protocol share: promises they control, and what the process is told. */
import { afterEach, beforeEach, expect } from "vitest";
import { turn } from "../support.ts";

/** A promise that the test settles. */
export class Deferred<T = void> {
  resolve!: (value: T) => void;
  reject!: (error: unknown) => void;
  readonly promise = new Promise<T>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });
}

/** Returns the rejection of a promise. Throws if the promise resolves. */
export async function rejection(promise: PromiseLike<unknown>): Promise<unknown> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`resolved with ${String(value)}`);
}

/**
 * Collects the process warnings of each test of the file, in the list that it returns. Fails a test
 * that leaves an unhandled rejection.
 */
export function watchReports(): Error[] {
  const unhandled: unknown[] = [];
  const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
  const warnings: Error[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning);
  beforeEach(() => {
    unhandled.length = warnings.length = 0;
    process.on("unhandledRejection", onUnhandled);
    process.on("warning", onWarning);
  });
  afterEach(async () => {
    await turn();
    process.off("unhandledRejection", onUnhandled);
    process.off("warning", onWarning);
    expect(unhandled).toEqual([]);
  });
  return warnings;
}

/** What `callAdapter` reports for a `method` that threw an error with this message. */
export function adapterThrew(method: string, message: string): object {
  return {
    name: "EightysixWarning",
    code: "EIGHTYSIX_ADAPTER_THREW",
    message: expect.stringContaining(`${method} of an adapter threw: Error: ${message}`) as string,
  };
}
