/** What the test kit needs of a test runner: the end of a test, its signal and its timeout. */
import type { AbortSignalLike } from "../index.ts";
import { show } from "../internal.ts";

/**
 * What a runner with cleanup functions hands to a test: `onTestFinished` of vitest, `after` of `node:test`.
 */
export interface TestLike {
  /** vitest and Bun: calls `fn` when the test has ended. */
  onTestFinished?(fn: () => Promise<void>, timeout?: number): unknown;
  /** `node:test`: calls `fn` when the test has ended. */
  after?(fn: () => Promise<void>): unknown;
  /** Aborts when the runner gives the test up. */
  readonly signal?: AbortSignalLike;
  /** vitest's description of the test. `timeout` is in milliseconds, and 0 means none. */
  readonly task?: { readonly timeout?: number };
}

/** How much longer than `within` a cleanup function may take, in milliseconds. */
const RESERVE = 5_000;

/** Returns whether `t` has cleanup functions. */
export function isTest(t: unknown): t is TestLike {
  if ((typeof t !== "object" && typeof t !== "function") || t === null) return false;
  const { onTestFinished, after } = t as Record<keyof TestLike, unknown>;
  return typeof onTestFinished === "function" || typeof after === "function";
}

/** Throws a TypeError unless `t` has cleanup functions. `instead` is for runners that hand none to a test. */
export function checkTest(t: unknown, caller: string, instead: string): asserts t is TestLike {
  if (isTest(t)) return;
  throw new TypeError(
    `${caller} takes what vitest or node:test hands to a test, got ${show(t)}; write (t) => ${caller}(t), and for another runner ${instead}`,
  );
}

/**
 * Returns the signal of a test. A test that vitest runs again after a timeout gets the signal of the first
 * run, which has aborted.
 */
export function ownSignal(t: TestLike | undefined): AbortSignalLike | undefined {
  return t?.onTestFinished !== undefined && t.signal?.aborted === true ? undefined : t?.signal;
}

/** vitest's list of the cleanup functions of a test. It runs the last one first. */
function cleanupOf(t: TestLike): unknown[] | undefined {
  const { onFinished } = (t.task ?? {}) as { onFinished?: unknown };
  return Array.isArray(onFinished) ? onFinished : undefined;
}

/**
 * Calls `fn` when the function of a test has ended, before all its other cleanup functions. In `node:test`,
 * those that were registered earlier run before. If `fn` resolves with an error, the test fails.
 */
export function beforeCleanup(
  t: TestLike,
  fn: () => Promise<Error | undefined>,
  within: number,
): void {
  if (t.onTestFinished === undefined) {
    t.after?.(async () => {
      const error = await fn();
      // node:test skips all functions after one that throws, so this one must be the last.
      if (error !== undefined) t.after?.(() => Promise.reject(error));
    });
    return;
  }
  t.onTestFinished(() => failWith(fn()), within + RESERVE);
  const functions = cleanupOf(t);
  if (functions === undefined) return;
  functions.push = (...added: unknown[]) => {
    functions.splice(-1, 0, ...added);
    return functions.length;
  };
}

/** Calls `fn` after all other cleanup functions of a test. If `fn` resolves with an error, the test fails. */
export function afterCleanup(
  t: TestLike,
  fn: () => Promise<Error | undefined>,
  within: number,
): void {
  if (t.onTestFinished === undefined) {
    // node:test runs its functions in their order, also those that are added meanwhile.
    t.after?.(() => Promise.resolve(t.after?.(() => failWith(fn()))).then(() => undefined));
    return;
  }
  const before = new Set(cleanupOf(t));
  t.onTestFinished(() => failWith(fn()), within + RESERVE);
  const functions = cleanupOf(t);
  const own = functions?.findIndex((each) => !before.has(each)) ?? -1;
  if (functions !== undefined && own > 0) functions.unshift(...functions.splice(own, 1));
}

async function failWith(error: Promise<Error | undefined>): Promise<void> {
  const failure = await error;
  if (failure !== undefined) throw failure;
}
