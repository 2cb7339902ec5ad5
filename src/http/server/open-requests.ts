/** The record of the requests that one server is handling. */
import { background, withCancel } from "../../index.ts";
import { shutdown } from "../request/causes.ts";
import { onRequestEnd } from "../request/request-end.ts";
import type { RequestTracker } from "../request/request-tracker.ts";
import type { RequestLike, ResponseLike } from "../types.ts";
import { announceClose } from "./announce-close.ts";

/** The parts of an `http2.ServerHttp2Stream` that are used. */
export interface Stream {
  on(event: "close", listener: () => void): unknown;
}

export class OpenRequests implements RequestTracker {
  readonly requests = withCancel(background());
  /**
   * The key is the response, the HTTP/2 stream or the upgraded request. The value is the connection,
   * if it belongs to that request alone.
   */
  readonly #open = new Map<object, object | undefined>();
  /** The work that continues without its client. */
  readonly #continuing = new Set<object>();
  readonly #onAllContinuedEnd: () => void;
  #isDraining = false;
  #drained = 0;

  /** `onAllContinuedEnd` is called when no more work continues without its client. */
  constructor(onAllContinuedEnd: () => void) {
    this.#onAllContinuedEnd = onAllContinuedEnd;
  }

  onRequest(req: RequestLike, res: ResponseLike): void {
    this.#open.set(res, req.socket);
    if (this.#isDraining) announceClose(res);
    onRequestEnd(req, res, { onEnd: () => this.#close(res) });
  }

  onUpgrade(req: RequestLike): void {
    this.#open.set(req, req.socket);
    onRequestEnd(req, undefined, { onEnd: () => this.#close(req) });
  }

  /** Records an HTTP/2 stream. No diagnostics channel announces these. */
  onStream(stream: Stream): void {
    this.#open.set(stream, undefined);
    stream.on("close", () => this.#close(stream));
  }

  continues(): () => void {
    const end = (): void => {
      this.#continuing.delete(end);
      if (this.#continuing.size === 0) this.#onAllContinuedEnd();
    };
    this.#continuing.add(end);
    return end;
  }

  get hasContinuing(): boolean {
    return this.#continuing.size > 0;
  }

  /** The HTTP/1 connections on which a request is being handled. */
  get busyConnections(): Set<object> {
    return new Set([...this.#open.values()].filter((connection) => connection !== undefined));
  }

  /** Requests that have ended by themselves since `startDraining`. */
  get drained(): number {
    return this.#drained;
  }

  /** From now on, responses announce that their connection will close, and `drained` counts. */
  startDraining(): void {
    this.#isDraining = true;
    for (const request of this.#open.keys()) announceClose(request);
  }

  /** Ends the contexts of all requests, and returns how many requests there were. */
  cancel(): number {
    const count = this.#open.size + this.#continuing.size;
    this.requests.cancel(shutdown);
    return count;
  }

  /**
   * Closes all requests. Call this when no connection is left: requests that have not reported
   * their end have ended too.
   */
  closeAll(): void {
    for (const request of this.#open.keys()) this.#close(request);
    this.requests.cancel(shutdown);
  }

  #close(request: object): void {
    if (!this.#open.delete(request)) return;
    if (this.#isDraining && this.requests.err() === undefined) this.#drained++;
  }
}
