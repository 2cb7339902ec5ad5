/**
 * Why a request's context is done, as the `cause` of a context error, or why its work was not begun.
 * Each says which status it means, and is recognised by that brand and not by `instanceof`: two
 * copies of the package can meet in one process. The brand does not cross the wire: another
 * server's client is not ours.
 */
const STATUS: unique symbol = Symbol.for("eightysix.http.status") as never;

/** What the causes below have in common. They have no stack: it would name the wrong culprit. */
export abstract class RequestCause extends Error {
  /** Stable, for code that would rather compare strings. */
  abstract readonly code: string;
  abstract readonly [STATUS]: number;

  protected constructor(name: string, message: string) {
    super(message);
    this.name = name;
    this.stack = `${name}: ${message}`;
  }
}

/**
 * The response can reach nobody any more: its connection was closed or reset before all of it was
 * handed over. Also said when the server destroys the connection. 499, which is only ever logged.
 */
export class ClientDisconnected extends RequestCause {
  readonly code = "ERR_CLIENT_DISCONNECTED";
  readonly [STATUS] = 499;
  constructor() {
    super("ClientDisconnected", "the client has gone");
  }
}

/** The response was sent: what is left of the work is for nobody. Counts as *finished*. */
export class RequestFinished extends RequestCause {
  readonly code = "ERR_REQUEST_FINISHED";
  readonly finished = true;
  readonly [STATUS] = 200;
  constructor() {
    super("RequestFinished", "the response is finished");
  }
}

/** The server's own limit for the request has passed: 503. */
export class LocalTimeout extends RequestCause {
  readonly code = "ERR_LOCAL_TIMEOUT";
  readonly [STATUS] = 503;
  constructor() {
    super("LocalTimeout", "the server's own time limit has passed");
  }
}

/** The deadline that the caller sent with the request has passed: 504. */
export class RemoteDeadline extends RequestCause {
  readonly code = "ERR_REMOTE_DEADLINE";
  readonly [STATUS] = 504;
  constructor() {
    super("RemoteDeadline", "the caller's deadline has passed");
  }
}

/** The header with the caller's deadline makes no sense, and `strict` minds: 400. */
export class MalformedDeadline extends RequestCause {
  readonly code = "ERR_MALFORMED_DEADLINE";
  readonly [STATUS] = 400;
  constructor() {
    super("MalformedDeadline", "the caller's deadline is malformed");
  }
}

/** The server is shutting down, and waits no longer for this request: 503. */
export class Shutdown extends RequestCause {
  readonly code = "ERR_SHUTDOWN";
  readonly [STATUS] = 503;
  constructor() {
    super("Shutdown", "the server is shutting down");
  }
}

/**
 * Refused before it started, by `admission`: it would not have been over in time, or too many were
 * waiting. It is the reason of no context: what was refused may be tried elsewhere, or answered from
 * a cache. 503, and `retryAfter` in its header.
 */
export class OverloadedError extends RequestCause {
  readonly code = "ERR_OVERLOADED";
  readonly [STATUS] = 503;
  /** Whole seconds, from 1 to 60, after which there may be room again. */
  readonly retryAfter: number;

  /** For logs. Not in the message, which frameworks may send. */
  readonly why: string;

  constructor(retryAfter: number, why: string) {
    super("OverloadedError", "refused before it started");
    this.retryAfter = retryAfter;
    this.why = why;
  }
}

/** The status that `x` itself stands for, if it is one of the above. */
export function brandOf(x: object): number | undefined {
  return (x as { [STATUS]?: number })[STATUS];
}
