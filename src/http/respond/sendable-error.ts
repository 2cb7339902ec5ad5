/** What a framework gets in place of a thrown value whose status or headers it could not send. */
import { validateHeaderName, validateHeaderValue } from "node:http";
import { show } from "../../internal.ts";
import { readableError } from "./readable-error.ts";

/**
 * Works like `readableError`, for frameworks that send the status and the headers of an error. A header
 * that Node refuses ends the process, because Koa and Express set it where no code catches. Fastify
 * then sends no response over HTTP/2. A status from 100 to 199 is no response, and the client would
 * wait for one.
 */
export function sendableError(error: unknown, isFormatted = false): unknown {
  const readable = readableError(error, isFormatted);
  if (readable !== error || typeof error !== "object" || error === null) return readable;
  const { status, statusCode, headers } = error as Record<string, unknown>;
  const isInformational = (n: unknown): n is number => typeof n === "number" && n >= 100 && n < 200;
  const wrong = [status, statusCode].find(isInformational);
  const what = wrong === undefined ? unsendable(headers) : `status ${wrong}`;
  if (what === undefined) return error;
  const message = `a handler has thrown ${show(error)}, whose ${what} cannot be sent`;
  return new Error(message, { cause: error });
}

/** Returns which of the headers Node refuses, or `undefined` if it refuses none. */
function unsendable(headers: unknown): string | undefined {
  if (typeof headers !== "object" || headers === null) return undefined;
  let what = "headers";
  try {
    for (const [name, value] of Object.entries(headers)) {
      what = `header ${JSON.stringify(name)}`;
      validateHeaderName(name);
      for (const one of [value].flat()) validateHeaderValue(name, one as string);
    }
    return undefined;
  } catch {
    return what;
  }
}
