/**
 * Detects when a request has ended, and whether its client disconnected first. Only this file
 * decides that, because each of the obvious ways is wrong:
 *
 * - The request's own `close` fires when its body has been read.
 * - The request's `signal` aborts then too, in a dozen versions of Node.
 * - `writableFinished` is true of a large response that was reset on its way (Node 20, 22).
 *
 * The listeners here run before all others. When a connection breaks, its `error` and `close` make a
 * body parser fail and a logger write its line. By then, the context has ended and the status is 499.
 *
 * Known limitations:
 *
 * - If an unread body is larger than the read buffer, Node stops reading the socket and does not see
 *   a FIN or RST behind that body.
 * - The same happens while responses that fill the write buffer (16 to 64 KB) wait for the response
 *   to a request that was pipelined before theirs.
 * - With `httpAllowHalfOpen`, no FIN is seen.
 * - If the client vanishes without sending a packet, only TCP keep-alive notices.
 * - Behind a buffering proxy, the client is the proxy.
 */
import type { RequestLike, ResponseLike, SocketLike, StreamLike } from "../types.ts";

/** The listener is an object and not a function, which saves one allocation for each request. */
export interface RequestEndListener {
  onEnd(isDisconnected: boolean): void;
}

/**
 * Returns whether the request has left HTTP (`Upgrade`, `CONNECT`), so that it has a connection and
 * no response.
 */
export function isUpgrade(req: RequestLike): boolean {
  return (req as { upgrade?: unknown }).upgrade === true;
}

/**
 * Calls `listener.onEnd` when the request has ended: at once if it has ended already, and perhaps a
 * second time. Leaves no listener on a connection that may serve other requests. `res` is missing
 * only if there is none (an upgrade) or if none is needed (HTTP/2).
 */
export function onRequestEnd(
  req: RequestLike,
  res: ResponseLike | undefined,
  listener: RequestEndListener,
): void {
  if (req.stream !== undefined) onStreamEnd(req.stream, listener);
  else if (res === undefined) onConnectionEnd(req.socket, listener);
  else onResponseEnd(req.socket, res, listener);
}

/**
 * HTTP/2: the stream decides, because its response is "finished" after a RST_STREAM too. The end of
 * the session closes every stream.
 */
function onStreamEnd(stream: StreamLike, listener: RequestEndListener): void {
  const report = (): void => {
    listener.onEnd(stream.aborted || !stream.writableFinished);
  };
  if (stream.destroyed || stream.aborted) report();
  else {
    stream.prependListener("aborted", report);
    stream.prependListener("close", report);
  }
}

/**
 * An upgraded connection belongs to its request alone. It is half-open, so the client's `end` means
 * that the client disconnected, unless this side had ended the connection first.
 */
function onConnectionEnd(socket: SocketLike, listener: RequestEndListener): void {
  const report = (): void => {
    listener.onEnd(!socket.writableEnded);
  };
  if (socket.destroyed || socket.readableEnded) report();
  else {
    // Runs before other listeners, which may end this side of the connection, as `ws` does.
    socket.prependListener("end", report);
    socket.on("close", report);
  }
}

/** HTTP/1. */
function onResponseEnd(socket: SocketLike, res: ResponseLike, listener: RequestEndListener): void {
  if (res.destroyed || res.writableFinished) {
    // The connection may have been closed normally since then. Only an error counts as a break.
    listener.onEnd(isCutShort(res, Boolean(socket.errored)));
  } else if (socket.destroyed) listener.onEnd(true);
  else if (res.socket === null) onPipelinedResponseEnd(socket, res, listener);
  else {
    const report = (): void => {
      release(socket, report);
      listener.onEnd(isCutShort(res, hasBrokenIn(0, socket)));
    };
    res.on("close", report);
    carry(socket, report);
  }
}

/**
 * The property of a connection that holds the report of the response that it carries. A connection
 * keeps one listener for each event, however many requests it serves.
 */
const REPORT = Symbol("eightysix.http.report");
type Carrier = SocketLike & { [REPORT]?: (() => void) | undefined };

/** Makes `report` run as soon as the connection breaks, before other listeners hear of it. */
function carry(socket: Carrier, report: () => void): void {
  if (!(REPORT in socket)) {
    socket.prependListener("error", onBreak);
    socket.prependListener("close", onBreak);
  }
  socket[REPORT] = report;
}

function release(socket: Carrier, report: () => void): void {
  if (socket[REPORT] === report) socket[REPORT] = undefined;
}

function onBreak(this: Carrier): void {
  if (this.destroyed) this[REPORT]?.();
}

/**
 * HTTP/1: returns whether a response ended before it was handed over as a whole. `isBroken` is
 * needed because Node 20 and 22 report a large response as finished if the connection broke on its
 * way.
 */
function isCutShort(res: ResponseLike, isBroken: boolean): boolean {
  return !res.writableFinished || isBroken;
}

/**
 * Returns whether the connection broke during this turn. The first response on a connection has
 * turn 0, and each response that waited for it has the next turn. The end of one turn starts the
 * next one, which may close the connection before the whole response emits its `close` (Node 20,
 * 22).
 */
function hasBrokenIn(turn: number, socket: SocketLike): boolean {
  return socket.destroyed && (queues.get(socket)?.turn ?? 0) <= turn;
}

/**
 * Handles a pipelined request whose turn has not come. Node 20 and 22 never emit `close` for its
 * response if the connection closes first.
 */
function onPipelinedResponseEnd(
  socket: SocketLike,
  res: ResponseLike,
  listener: RequestEndListener,
): void {
  const queue = (queues.get(socket) ?? openQueue(socket)).add(listener);
  let turn = Infinity;
  const report = (): void => {
    const isBroken = hasBrokenIn(turn, socket);
    release(socket, report);
    queue.delete(listener);
    listener.onEnd(isCutShort(res, isBroken));
  };
  res.on("socket", () => {
    turn = queue.nextTurn();
    carry(socket, report);
  });
  res.on("close", report);
}

/**
 * The pipelined requests that wait for their turn on one connection. They share one `close` listener
 * on it, because a client may pipeline more than ten.
 */
class PipelineQueue {
  readonly #socket: SocketLike;
  readonly #waiting = new Set<RequestEndListener>();
  /** How many times the next response got its turn on a connection that was not broken. */
  turn = 0;

  constructor(socket: SocketLike) {
    this.#socket = socket;
    socket.prependListener("close", this.#onClose);
  }

  add(listener: RequestEndListener): this {
    this.#waiting.add(listener);
    return this;
  }

  /** Starts the next turn and returns its number. */
  nextTurn(): number {
    const { destroyed, errored } = this.#socket;
    if (!destroyed && !errored) this.turn++;
    return this.turn;
  }

  delete(listener: RequestEndListener): void {
    this.#waiting.delete(listener);
    if (this.#waiting.size > 0) return;
    this.#socket.off("close", this.#onClose);
    queues.delete(this.#socket);
  }

  readonly #onClose = (): void => {
    for (const listener of this.#waiting) {
      this.delete(listener);
      listener.onEnd(true);
    }
  };
}

const queues = new WeakMap<SocketLike, PipelineQueue>();

function openQueue(socket: SocketLike): PipelineQueue {
  const queue = new PipelineQueue(socket);
  queues.set(socket, queue);
  return queue;
}
