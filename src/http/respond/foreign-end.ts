/**
 * A request whose work uses the context of another request, which has finished. A class that keeps
 * its first `ctx` does that, for example. It is a bug of the program, and not an end of the request
 * that fails. Runs on every platform.
 */
import { afterFunc, type Context } from "../../index.ts";
import {
  channel,
  isDevelopment,
  LONGEST_CHAIN,
  programStack,
  readProperty,
  recordStack,
  warn,
} from "../../internal.ts";
import { requestName } from "../request/request-name.ts";
import { statusOfError } from "./status.ts";

/** Where a request got its context. */
interface Origin {
  readonly name: string;
  /** `undefined` if it was taken by a framework, and not by the program itself. */
  readonly stack: string | undefined;
}

/** The origins of finished requests by their errors, each of which belongs to one request then. */
const origins = new WeakMap<object, Origin>();

const foreign = channel("context.foreign");

const warned = new WeakSet<object>();

/** Remembers, in development mode, where the context of `request` was taken. */
export function rememberOrigin(request: object, ctx: Context): void {
  if (!isDevelopment()) return;
  const origin = { name: requestName(request), stack: programStack(recordStack()) };
  afterFunc(ctx, (err) => origins.set(err, origin));
}

/**
 * Returns whether `error`, with which a handler under `ctx` has failed, is the end of another request
 * that has finished. A shared piece of work whose client has disconnected does not count.
 */
export function isForeignEnd(ctx: Context, error: unknown): boolean {
  return ctx.err() === undefined && error !== undefined && statusOfError(error) === 200;
}

/** Emits a process warning that names `request`, once for each request. */
export function warnOfForeignEnd(request: object, error: unknown): void {
  if (warned.has(request)) return;
  warned.add(request);
  foreign.publish({ request, error });
  warn(
    `${requestName(request)} failed because it uses the context of another request, which has finished; do not keep a ctx beyond its request, for example in a class`,
    { type: "ContextWarning", code: "EIGHTYSIX_FOREIGN_CONTEXT", detail: detailOf(error) },
  );
}

function detailOf(error: unknown): string {
  const origin = originOf(error);
  if (origin === undefined) return "EIGHTYSIX_DEV=1 shows the other request";
  const { name, stack } = origin;
  const request = `the other request is ${name}`;
  return stack === undefined ? request : `${request}; its context was taken here\n${stack}`;
}

function originOf(error: unknown): Origin | undefined {
  let at = error;
  for (let i = 0; i < LONGEST_CHAIN && typeof at === "object" && at !== null; i++) {
    const origin = origins.get(at);
    if (origin !== undefined) return origin;
    at = readProperty(at, "cause");
  }
  return undefined;
}
