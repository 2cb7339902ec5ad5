/** What a handler says after Express has been told that its time is up. */
import type { WritableResponseLike } from "../http/types.ts";
import { respond } from "../http/respond/respond.ts";
import type { RequestEndedError } from "../http/respond/request-ended-error.ts";
import { statusOf } from "../http/index.ts";

/** The parts of Express' application that are used. */
interface App {
  readonly parent?: App;
  use(middleware: ErrorMiddleware): unknown;
}
type Next = (error?: unknown) => void;
type ErrorMiddleware = (error: unknown, req: object, res: WritableResponseLike, next: Next) => void;

/** On a request: the error that came in place of its handler's. */
const LATE = Symbol("eightysix.express.late");
type Late = { [LATE]?: RequestEndedError; readonly app?: App };

const prepared = new WeakSet<App>();

/**
 * Calls `next` with `end` while the handler still runs.
 *
 * Express offers an error to the middleware behind it, and the next error of that request to what is
 * behind *that*: when the handler stops a little later, no error middleware is left, and Express
 * would answer 500 beside the one that is at work, or close the connection under its answer. So the
 * last in line, of the outermost application, is from now on one of ours, which knows better.
 */
export function endLate(req: object & Late, next: Next, end: RequestEndedError): void {
  let { app } = req;
  while (app?.parent) app = app.parent;
  if (app && !prepared.has(app)) {
    prepared.add(app);
    app.use(lastInLine);
  }
  req[LATE] = end;
  next(end);
}

const lastInLine: ErrorMiddleware = (error, req: Late, res, next) => {
  const late = req[LATE];
  if (late === undefined) next(error);
  else if (error === late)
    respond(res, late.status, late); // nobody else has
  else if (statusOf(error) === 500) next(error); // a bug is not hidden, whenever it comes
};
