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
 * Works like `readableError`, for frameworks that send the status and the headers of an error. A header
 * that Node refuses ends the process: Koa and Express set it where no code catches,
 * and Fastify sends no response over HTTP/2. A status from 100
 * to 199 is no response, and the client would wait for one.
 */
export function sendableError(error: unknown, isFormatted = false): unknown {
  const readable = readableError(error, isFormatted);
  if (readable !== error || typeof error !== "object" || error === null) return readable;
  const { status, statusCode, headers } = error as Record<string, unknown>;
  const isNone = (n: unknown): n is number => typeof n === "number" && n >= 100 && n < 200;
  const wrong = [status, statusCode].find(isNone);
  const what = wrong === undefined ? unsendable(headers) : `status ${wrong}`;
  if (what === undefined) return error;
  const message = `a handler has thrown ${show(error)}, whose ${what} cannot be sent`;
  return new Error(message, { cause: error });
}

/** The characters of a name, and what no value has: those of Node. */
const NAME = /^[\^_`a-zA-Z\-0-9!#$%&'*+.|~]+$/;
const NOT_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

/** Returns which of the headers Node refuses, or `undefined` if it refuses none. */
function unsendable(headers: unknown): string | undefined {
  if (typeof headers !== "object" || headers === null) return undefined;
  try {
    for (const [name, value] of Object.entries(headers) as [string, unknown][]) {
      const isRefused = (one: unknown): boolean =>
        one === undefined || NOT_IN_VALUE.test(toText(one));
      const values: unknown[] = Array.isArray(value) ? value : [value];
      if (!NAME.test(name) || values.some(isRefused)) return `header ${JSON.stringify(name)}`;
    }
    return undefined;
  } catch {
    return "headers";
  }
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
