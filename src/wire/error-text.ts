/** Errors as one line of text, for headers. */
import { LONGEST_CHAIN } from "../internal.ts";
import { fromWire, toWire, type WireError } from "./error.ts";

/** The longest text of an error. Servers refuse long headers, and then the error would be lost. */
const LONGEST_TEXT = 4_096;

/**
 * How an error is cut until its text is short enough: how many errors of the chain stay, and how many
 * characters of each name, message and code. The last cut always suffices.
 */
const CUTS = [
  { errors: LONGEST_CHAIN, characters: 500 },
  { errors: 8, characters: 100 },
  { errors: 1, characters: 200 },
];

/**
 * Returns an error as JSON for a header: what `toWire` returns, in printable ASCII, at most 4,096
 * characters. If it is longer, messages are cut, and then the chain of causes. Never throws.
 *
 * @example
 * message.respond("", { headers: { [ERROR_HEADER]: formatError(err) } });
 */
export function formatError(error: unknown): string {
  return textOf(toShortWire(error));
}

/**
 * Returns the error that `formatError` turned into text. Like `fromWire`, it does not trust its
 * argument: a text that is not JSON becomes the message of an Error. Never throws.
 *
 * @example
 * const text = reply.headers.get(ERROR_HEADER);
 * if (text) throw calleeError(ctx, parseError(text), sent);
 */
export function parseError(text: unknown): Error {
  return fromWire(dataOf(text));
}

/** Returns what `toWire` does, cut until its text is short enough for a header. */
export function toShortWire(error: unknown): WireError {
  const whole = toWire(error);
  let wire = whole;
  for (const { errors, characters } of CUTS) {
    if (textOf(wire).length <= LONGEST_TEXT) break;
    wire = cut(whole, errors, characters) as WireError;
  }
  return wire;
}

/** Returns the data of a JSON text, and `x` itself if it is not JSON. */
export function dataOf(x: unknown): unknown {
  if (typeof x !== "string") return x;
  try {
    return JSON.parse(x) as unknown;
  } catch {
    return x;
  }
}

/** Headers of HTTP cannot contain other characters, and a line break would end a header. */
function textOf(wire: WireError): string {
  return JSON.stringify(wire).replace(
    /[^ -~]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function cut(x: WireError["cause"], errors: number, characters: number): WireError["cause"] {
  if (typeof x === "string") return x.slice(0, characters);
  if (typeof x !== "object" || x === null) return x;
  const { name, message, code, cause } = x;
  const short: WireError = {
    name: name.slice(0, characters),
    message: message.slice(0, characters),
  };
  if (code !== undefined) short.code = typeof code === "string" ? code.slice(0, characters) : code;
  if (cause !== undefined && errors > 1) short.cause = cut(cause, errors - 1, characters) ?? null;
  return short;
}
