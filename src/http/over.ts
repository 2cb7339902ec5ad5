/**
 * When a request is over, and whether its client has gone. Written down here and nowhere else,
 * because each of the obvious ways is wrong: the request's own `close` fires when a body has been
 * read, its `signal` does the same in a dozen versions of Node, and `writableFinished` is true of
 * a large response that was reset on its way (Node 20, 22).
 *
 * Not to be had: an unread body larger than the read buffer keeps Node from reading the socket, so
 * a FIN behind it is not seen; with `httpAllowHalfOpen` none is; a peer that vanishes without a
 * packet is noticed by TCP keep-alive alone; behind a buffering proxy, the client is the proxy.
 */

/** The parts of a `net.Socket` that are used. */
export interface SocketLike {
  readonly destroyed: boolean;
  readonly errored?: Error | null;
  on(event: "close", listener: () => void): unknown;
  off(event: "close", listener: () => void): unknown;
}

/** The parts of an `http.IncomingMessage` that are used. */
export interface RequestLike {
  readonly socket: SocketLike;
}

/** The parts of an `http.ServerResponse` that `requestContext` uses. */
export interface ResponseLike {
  readonly destroyed: boolean;
  readonly writableFinished: boolean;
  /** `null` while it waits behind another response of the same connection, and again at the end. */
  readonly socket: object | null;
  on(event: "close", listener: () => void): unknown;
}

/**
 * HTTP/1: whether a response that is over has not been handed over whole. `broken` is needed
 * because Node 20 and 22 call a large one finished that was on its way when the connection broke.
 */
function hasGone(res: ResponseLike, broken: boolean): boolean {
  return !res.writableFinished || broken;
}

/**
 * Calls `over` when the request is over: at once if it is already, and perhaps a second time.
 * Leaves no listener on the connection, which may serve other requests.
 */
export function onOver(req: RequestLike, res: ResponseLike, over: (gone: boolean) => void): void {
  const { socket } = req;
  if (res.destroyed || res.writableFinished) {
    // Its connection may have been closed since, in peace; an error is taken for its own.
    over(hasGone(res, Boolean(socket.errored)));
  } else if (socket.destroyed) over(true);
  else if (res.socket === null) waitInLine(socket, res, over);
  else res.on("close", () => over(hasGone(res, socket.destroyed)));
}

/**
 * A pipelined request whose turn has not come: Node 20 and 22 never emit `close` for its response
 * if the connection closes first.
 */
function waitInLine(socket: SocketLike, res: ResponseLike, over: (gone: boolean) => void): void {
  const line = (lines.get(socket) ?? openLine(socket)).add(over);
  res.on("close", () => {
    line.delete(over);
    over(hasGone(res, socket.destroyed));
  });
}

/** One listener for all that wait on a connection: a client may pipeline more than ten. */
class Line {
  readonly #socket: SocketLike;
  readonly #waiting = new Set<(gone: boolean) => void>();

  constructor(socket: SocketLike) {
    this.#socket = socket;
    socket.on("close", this.#left);
  }

  add(over: (gone: boolean) => void): this {
    this.#waiting.add(over);
    return this;
  }

  delete(over: (gone: boolean) => void): void {
    this.#waiting.delete(over);
    if (this.#waiting.size > 0) return;
    this.#socket.off("close", this.#left);
    lines.delete(this.#socket);
  }

  readonly #left = (): void => {
    for (const over of this.#waiting) {
      this.delete(over);
      over(true);
    }
  };
}

const lines = new WeakMap<SocketLike, Line>();

function openLine(socket: SocketLike): Line {
  const line = new Line(socket);
  lines.set(socket, line);
  return line;
}
