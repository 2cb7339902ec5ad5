/** The record of the requests that one server is handling. */
import { background, withCancel, withLedger, type Context } from "../../index.ts";
import { ledgerOf, type Ledger, type OutlivingWork } from "../../internal.ts";
import { shutdown } from "../request/causes.ts";
import { onRequestEnd } from "../request/request-end.ts";
import type { RequestTracker } from "../request/request-tracker.ts";
import type { RequestLike, ResponseLike } from "../types.ts";
import { LastResponse } from "./last-response.ts";
import type { ServeOptions } from "./types.ts";

/** The parts of an `http2.ServerHttp2Stream` that are used. */
export interface Stream {
  on(event: "close", listener: () => void): unknown;
}

export class OpenRequests implements RequestTracker {
  readonly requests: Context;
  readonly #scope = withCancel(background());
  /**
   * The key is the response, the HTTP/2 stream or the upgraded request. The value is the connection,
   * if it belongs to that request alone.
   */
  readonly #open = new Map<object, object | undefined>();
  /** The last response of each connection, from the start of the draining on. */
  readonly #last = new WeakMap<object, LastResponse>();
  readonly #unanswerable = new WeakSet<object>();
  /** The work that continues without its client. */
  readonly #continuing = new Set<object>();
  /** The functions of `shield` and of `detach` that requests have started. */
  readonly #outliving: OutlivingWork;
  readonly #onIdle: () => void;
  #isDraining = false;
  #drained = 0;
  #abandonedBefore = 0;

  /**
   * `onIdle` is called when no more work goes on without its client or its request. Such work may
   * start again at once.
   */
  constructor(onIdle: () => void, onDetachedError: ServeOptions["onDetachedError"]) {
    this.#onIdle = onIdle;
    this.requests = withLedger(this.#scope);
    const ledger = ledgerOf(this.requests) as Ledger;
    ledger.onDetachedError = onDetachedError;
    this.#outliving = ledger.outliving;
    this.#outliving.onEnd(() => this.#checkIdle());
  }

  onRequest(req: RequestLike, res: ResponseLike): void {
    if (this.#isDraining && !this.#announceClose(res, req.socket)) {
      this.#unanswerable.add(req);
      return;
    }
    this.#open.set(res, req.socket);
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

  isUnanswerable(req: RequestLike): boolean {
    return this.#unanswerable.has(req);
  }

  continues(): () => void {
    const end = (): void => {
      this.#continuing.delete(end);
      this.#checkIdle();
    };
    this.#continuing.add(end);
    return end;
  }

  /** Whether work goes on without its client, or after the end of its request. */
  get isBusy(): boolean {
    return this.#continuing.size > 0 || this.hasOutliving;
  }

  /** Whether a function of `shield` or of `detach` is running. */
  get hasOutliving(): boolean {
    return this.#outliving.size > 0;
  }

  /**
   * The functions of `shield` and of `detach` that are still running, or that were when their budget
   * passed since `startDraining`.
   */
  get abandoned(): number {
    return this.#outliving.size + this.#outliving.abandoned - this.#abandonedBefore;
  }

  /** The HTTP/1 connections on which a request is being handled. */
  get busyConnections(): Set<object> {
    return new Set([...this.#open.values()].filter((connection) => connection !== undefined));
  }

  /** Requests that have ended by themselves since `startDraining`. */
  get drained(): number {
    return this.#drained;
  }

  /**
   * From now on, the last response of each connection announces that the connection will close, and
   * `drained` counts.
   */
  startDraining(): void {
    this.#isDraining = true;
    this.#abandonedBefore = this.#outliving.abandoned;
    // Not an upgraded request or an HTTP/2 stream, whose session sends GOAWAY.
    const last = new Map<object, { response: object; isWaiting: boolean }>();
    for (const [response, connection] of this.#open) {
      if (connection === undefined) continue;
      last.set(connection, { response, isWaiting: last.has(connection) });
    }
    for (const [connection, { response, isWaiting }] of last)
      this.#last.set(connection, new LastResponse(response, isWaiting));
  }

  /** Returns false if an earlier response has announced that the connection will close. */
  #announceClose(response: object, connection: object): boolean {
    const before = this.#last.get(connection);
    if (before?.replace() === false) return false;
    const isWaiting = before !== undefined && this.#open.has(before.response);
    this.#last.set(connection, new LastResponse(response, isWaiting));
    return true;
  }

  /** Ends the contexts of all requests, and returns how many requests there were. */
  cancel(): number {
    const count = this.#open.size + this.#continuing.size;
    this.#scope.cancel(shutdown);
    return count;
  }

  /**
   * Closes all requests. Call this when no connection is left: requests that have not reported
   * their end have ended too.
   */
  closeAll(): void {
    for (const request of this.#open.keys()) this.#close(request);
    this.#scope.cancel(shutdown);
  }

  #checkIdle(): void {
    if (!this.isBusy) this.#onIdle();
  }

  #close(request: object): void {
    if (!this.#open.delete(request)) return;
    if (this.#isDraining && this.requests.err() === undefined) this.#drained++;
  }
}
