/**
 * When a request is over, and whether its client has gone. Written down here and nowhere else,
 * because each of the obvious ways is wrong: the request's own `close` fires when a body has been
 * read, its `signal` does the same in a dozen versions of Node, and `writableFinished` is true of
 * a large response that was reset on its way (Node 20, 22).
 *
 * Not to be had: an unread body larger than the read buffer keeps Node from reading the socket, so
 * a FIN or RST behind it is not seen, and so do answers that fill the write buffer (16 to 64 KB)
 * while they wait for that to a request pipelined before theirs; with `httpAllowHalfOpen` none is; a peer that vanishes without a
 * packet is noticed by TCP keep-alive alone; behind a buffering proxy, the client is the proxy.
 */

/** The parts of a `net.Socket` that are used. */
export interface SocketLike {
  readonly destroyed: boolean;
  readonly errored?: Error | null;
  readonly readableEnded?: boolean;
  readonly writableEnded?: boolean;
  on(event: "close", listener: () => void): unknown;
  prependListener(event: "end", listener: () => void): unknown;
  off(event: "close", listener: () => void): unknown;
}

/** The parts of an `http2.ServerHttp2Stream` that are used. */
export interface StreamLike {
  readonly aborted: boolean;
  readonly destroyed: boolean;
  readonly writableFinished: boolean;
  readonly session?: object | null | undefined;
  on(event: "close", listener: () => void): unknown;
}

/** The parts of an `http.IncomingMessage` or an `http2.Http2ServerRequest` that are used. */
export interface RequestLike {
  readonly socket: SocketLike;
  readonly headers?: Readonly<Record<string, string | string[] | undefined>>;
  /** HTTP/2 only. */
  readonly stream?: StreamLike;
}

/** The parts of an `http.ServerResponse` that `requestContext` uses. HTTP/2 needs none of them. */
export interface ResponseLike {
  readonly destroyed: boolean;
  readonly writableFinished: boolean;
  /** `null` while it waits behind another response of the same connection, and again at the end. */
  readonly socket: object | null;
  on(event: "close" | "socket", listener: () => void): unknown;
}

/**
 * HTTP/1: whether a response that is over has not been handed over whole. `broken` is needed
 * because Node 20 and 22 call a large one finished that was on its way when the connection broke.
 */
function hasGone(res: ResponseLike, broken: boolean): boolean {
  return !res.writableFinished || broken;
}

/**
 * Whether the connection broke during this turn: that of the first response is 0, each that has
 * waited for it has the next. The end of one turn is the beginning of another, and that may close
 * the connection before the `close` of the response that is whole (Node 20, 22).
 */
function brokeIn(turn: number, socket: SocketLike): boolean {
  return socket.destroyed && (lines.get(socket)?.turn ?? 0) <= turn;
}

/** Whether the request has left HTTP (`Upgrade`, `CONNECT`): it has a connection and no response. */
export function isUpgrade(req: RequestLike): boolean {
  return (req as { upgrade?: unknown }).upgrade === true;
}

/** Who is told. An object and not a function: one less to make for every request. */
export interface RequestEndListener {
  onEnd(gone: boolean): void;
}

/**
 * Calls `waiting.over` when the request is over: at once if it is already, and perhaps a second
 * time. Leaves no listener on a connection that may serve other requests. `res` is missing only
 * where there is none (an upgrade) or none is needed (HTTP/2).
 */
export function onRequestEnd(
  req: RequestLike,
  res: ResponseLike | undefined,
  waiting: RequestEndListener,
): void {
  if (req.stream !== undefined) onStreamOver(req.stream, waiting);
  else if (res === undefined) onConnectionOver(req.socket, waiting);
  else onResponseOver(req.socket, res, waiting);
}

/**
 * HTTP/2: the stream knows. Its response calls itself finished after a RST_STREAM too, and the end
 * of the session closes every stream.
 */
function onStreamOver(stream: StreamLike, waiting: RequestEndListener): void {
  const ask = (): void => {
    waiting.onEnd(stream.aborted || !stream.writableFinished);
  };
  if (stream.destroyed) ask();
  else stream.on("close", ask);
}

/**
 * An upgraded connection belongs to its request alone. It is half-open: the client's `end` says
 * that it has gone, unless we had said goodbye before.
 */
function onConnectionOver(socket: SocketLike, waiting: RequestEndListener): void {
  const ask = (): void => {
    waiting.onEnd(!socket.writableEnded);
  };
  if (socket.destroyed || socket.readableEnded) ask();
  else {
    // Before others that answer it by saying goodbye, as `ws` does.
    socket.prependListener("end", ask);
    socket.on("close", ask);
  }
}

/** HTTP/1. */
function onResponseOver(socket: SocketLike, res: ResponseLike, waiting: RequestEndListener): void {
  if (res.destroyed || res.writableFinished) {
    // Its connection may have been closed since, in peace; an error is taken for its own.
    waiting.onEnd(hasGone(res, Boolean(socket.errored)));
  } else if (socket.destroyed) waiting.onEnd(true);
  else if (res.socket === null) waitInLine(socket, res, waiting);
  else {
    res.on("close", () => {
      waiting.onEnd(hasGone(res, brokeIn(0, socket)));
    });
  }
}

/**
 * A pipelined request whose turn has not come: Node 20 and 22 never emit `close` for its response
 * if the connection closes first.
 */
function waitInLine(socket: SocketLike, res: ResponseLike, waiting: RequestEndListener): void {
  const line = (lines.get(socket) ?? openLine(socket)).add(waiting);
  let turn = Infinity;
  res.on("socket", () => (turn = line.next()));
  res.on("close", () => {
    const broken = brokeIn(turn, socket);
    line.delete(waiting);
    waiting.onEnd(hasGone(res, broken));
  });
}

/** One listener for all that wait on a connection: a client may pipeline more than ten. */
class Line {
  readonly #socket: SocketLike;
  readonly #waiting = new Set<RequestEndListener>();
  /** How many turns have passed to the next response on a connection that was whole. */
  turn = 0;

  constructor(socket: SocketLike) {
    this.#socket = socket;
    socket.on("close", this.#left);
  }

  add(waiting: RequestEndListener): this {
    this.#waiting.add(waiting);
    return this;
  }

  /** The turn of a response that has waited. */
  next(): number {
    const { destroyed, errored } = this.#socket;
    if (!destroyed && !errored) this.turn++;
    return this.turn;
  }

  delete(waiting: RequestEndListener): void {
    this.#waiting.delete(waiting);
    if (this.#waiting.size > 0) return;
    this.#socket.off("close", this.#left);
    lines.delete(this.#socket);
  }

  readonly #left = (): void => {
    for (const waiting of this.#waiting) {
      this.delete(waiting);
      waiting.onEnd(true);
    }
  };
}

const lines = new WeakMap<SocketLike, Line>();

function openLine(socket: SocketLike): Line {
  const line = new Line(socket);
  lines.set(socket, line);
  return line;
}
