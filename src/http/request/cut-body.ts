/** Requests whose client left in the middle of an upload. Runs on every platform. */

/** The parts of a `stream.Readable` that are used. */
interface Body {
  readonly readableFlowing?: boolean | null;
  readonly readableEnded?: boolean;
}

/** Shared by all copies of the package, because two of them may serve one request. */
const CUT = Symbol.for("eightysix.http.cutBody");
type Marked = { [CUT]?: true };

/**
 * Records that the client has disconnected, if the body of `req` is being read at this moment and
 * has not been read to its end. Call it before others hear of the disconnect: HTTP/2 ends such a
 * body like one that is complete.
 */
export function recordCutBody(req: object): void {
  const { readableFlowing, readableEnded } = req as Body;
  if (typeof readableFlowing === "boolean" && readableEnded === false) (req as Marked)[CUT] = true;
}

/**
 * Returns whether the client left while the body was being read. If so, the disconnect explains any
 * failure of the handler, even of a handler that goes on without its client: a body parser fails
 * with an error of its own making.
 */
export function hasCutBody(req: object): boolean {
  return (req as Marked)[CUT] === true;
}
