/** The errors of a handler that stops after `next` was called with the end of its request. */
import type { WritableResponseLike } from "../http/types.ts";
import { respond } from "../http/respond/respond.ts";
import type { RequestEndedError } from "../http/respond/request-ended-error.ts";
import { sendableError } from "../http/respond/sendable-error.ts";
import { statusOfError } from "../http/respond/status.ts";

/** The parts of Express' application that are used. */
interface App {
  readonly parent?: App;
  use(middleware: ErrorMiddleware): unknown;
}
type Next = (error?: unknown) => void;
type ErrorMiddleware = (error: unknown, req: object, res: WritableResponseLike, next: Next) => void;

/** On a request: the error that went to `next` while its handler was still running. */
const EARLY = Symbol("eightysix.express.early");
type Early = { [EARLY]?: RequestEndedError; readonly app?: App };

const prepared = new WeakSet<App>();

/**
 * Calls `next` with `end` while the handler still runs.
 *
 * Express offers an error to the error middleware behind the handler, and the next error of the
 * same request only to the middleware behind that one. If the handler stops a little later, no
 * error middleware is left for its error. Express would then send a 500 while the response is being
 * prepared, or close its connection. So this function registers a last error middleware, on the
 * outermost application, that drops such an error.
 */
export function endEarly(req: object & Early, next: Next, end: RequestEndedError): void {
  let { app } = req;
  while (app?.parent) app = app.parent;
  if (app && !prepared.has(app)) {
    prepared.add(app);
    app.use(lastInLine);
  }
  req[EARLY] = end;
  next(end);
}

const lastInLine: ErrorMiddleware = (error, req: Early, res, next) => {
  const early = req[EARLY];
  if (early === undefined) next(sendableError(error));
  // No other error middleware has responded.
  else if (error === early) respond(res, early.status, early);
  // The error of a bug is never hidden, however late it is thrown.
  else if (statusOfError(error) === 500) next(sendableError(error));
};
