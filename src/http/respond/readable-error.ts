/** What a framework gets in place of a thrown value that it could not read. Runs on every platform. */
import { isInstance, LONGEST_CHAIN, show } from "../../internal.ts";

/** What frameworks and their loggers read of an error, without a guard. */
const READ = [
  ...["name", "message", "stack", "status", "statusCode", "headers", "expose", "code"],
  ...["constructor", "toString", "toJSON", "then", "getResponse"],
] as const;

/**
 * Returns `error` if a framework can read it, and otherwise an Error that says what was thrown. A
 * framework whose error handler throws leaves its request without a response, or ends the process.
 * Express and Koa take `undefined` and the like for no error.
 *
 * `isFormatted` is whether the framework formats what is no Error as JSON, as Koa and Fastify do.
 * The others can read an object with a cycle or a bigint, and its status.
 */
export function readableError(error: unknown, isFormatted = false): unknown {
  if (!error) return new Error(`a handler has thrown ${show(error)}, and no error`);
  if (isReadable(error, isFormatted)) return error;
  return new Error(`a handler has thrown ${show(error)}, which cannot be read`);
}

/**
 * Returns whether nothing throws while a framework reads `error` and the errors that caused it, and
 * formats it as JSON if `isFormatted`.
 */
function isReadable(error: unknown, isFormatted: boolean): boolean {
  let at: unknown = error;
  try {
    if (isFormatted && !isInstance(error, Error)) JSON.stringify(error);
    for (let i = 0; i < LONGEST_CHAIN && typeof at === "object" && at !== null; i++) {
      read(at);
      at = Reflect.get(at, "cause");
    }
    if (typeof at === "function") read(at);
    return true;
  } catch {
    return false;
  }
}

/** Reads what frameworks do, and throws what that throws. */
function read(x: object): void {
  for (const name of READ) Reflect.get(x, name);
  for (const name of ["name", "message", "stack"]) toText(Reflect.get(x, name));
  Object.prototype.toString.call(x);
  toText(x);
}

function toText(x: unknown): string {
  return String(x);
}
