/**
 * The causes with which the context of a request ends, or for which its work does not start. Each
 * class stands for one HTTP status. A brand with that status identifies them, not `instanceof`,
 * because two copies of the package can meet in one process. The brand does not cross the wire,
 * because a client that disconnected from another server did not disconnect from this one.
 */
import { readProperty } from "../../internal.ts";

const STATUS: unique symbol = Symbol.for("eightysix.http.status") as never;

/** The base class of the causes below. They have no stack, because it would blame the wrong code. */
export abstract class RequestCause extends Error {
  /** A stable code, for programs that compare strings. */
  abstract readonly code: string;
  abstract readonly [STATUS]: number;

  protected constructor(name: string, message: string) {
    super(message);
    this.name = name;
    this.stack = `${name}: ${message}`;
  }
}

/**
 * The connection of the request was closed or reset before the whole response was handed over, by
 * the client or by the server. Status 499, which is logged and never sent.
 */
export class ClientDisconnected extends RequestCause {
  readonly code = "ERR_CLIENT_DISCONNECTED";
  readonly [STATUS] = 499;
  constructor() {
    super("ClientDisconnected", "the client has gone");
  }
}

/** The response was sent, so work that is still running serves no client. Counts as finished. */
export class RequestFinished extends RequestCause {
  readonly code = "ERR_REQUEST_FINISHED";
  readonly finished = true;
  readonly [STATUS] = 200;
  constructor() {
    super("RequestFinished", "the response is finished");
  }
}

/** The server's own limit for the request has passed. Status 503. */
export class LocalTimeout extends RequestCause {
  readonly code = "ERR_LOCAL_TIMEOUT";
  readonly [STATUS] = 503;
  constructor() {
    super("LocalTimeout", "the server's own time limit has passed");
  }
}

/** The deadline that the caller sent with the request has passed. Status 504. */
export class RemoteDeadline extends RequestCause {
  readonly code = "ERR_REMOTE_DEADLINE";
  readonly [STATUS] = 504;
  constructor() {
    super("RemoteDeadline", "the caller's deadline has passed");
  }
}

/** The header with the caller's deadline is malformed, and the option `strict` is set. Status 400. */
export class MalformedDeadline extends RequestCause {
  readonly code = "ERR_MALFORMED_DEADLINE";
  readonly [STATUS] = 400;
  constructor() {
    super("MalformedDeadline", "the caller's deadline is malformed");
  }
}

/** The server is shutting down, and no longer waits for this request. Status 503. */
export class Shutdown extends RequestCause {
  readonly code = "ERR_SHUTDOWN";
  readonly [STATUS] = 503;
  constructor() {
    super("Shutdown", "the server is shutting down");
  }
}

/**
 * The work was refused by `admission` before it started: it would probably have missed its
 * deadline, or too many callers were waiting. It ends no context, so the caller may try another
 * server or respond from a cache. Status 503, with `retryAfter` in the header Retry-After.
 */
export class OverloadedError extends RequestCause {
  readonly code = "ERR_OVERLOADED";
  readonly [STATUS] = 503;
  /** Whole seconds, from 1 to 60, after which to try again. */
  readonly retryAfter: number;

  /**
   * Why the work was refused, for logs. It is not part of the message, because frameworks may send
   * that.
   */
  readonly why: string;

  constructor(retryAfter: number, why: string) {
    super("OverloadedError", "refused before it started");
    this.retryAfter = retryAfter;
    this.why = why;
  }
}

// One instance serves all requests: these causes have no stack and hold no data of a request.
export const clientDisconnected = new ClientDisconnected();
export const requestFinished = new RequestFinished();
export const shutdown = new Shutdown();

/** Makes `error` stand for `status`, whatever its cause stands for. */
export function brandWith(error: Error, status: number): void {
  Object.defineProperty(error, STATUS, { value: status });
}

/**
 * Returns the status that `x` itself stands for, if it is one of the causes above, or one of another
 * copy of the package.
 */
export function brandOf(x: unknown): number | undefined {
  const status = readProperty(x, STATUS);
  return status === 200 || isErrorStatus(status) ? status : undefined;
}

function isErrorStatus(x: unknown): x is number {
  return Number.isInteger(x) && (x as number) >= 400 && (x as number) < 600;
}
