/**
 * When to respond for a handler that has not begun to respond as its context ends. respond.ts holds
 * the response itself; request-ended-error.ts holds the one that frameworks send.
 */
import { DoneListener } from "../../internal.ts";
import type { Context } from "../../index.ts";
import type { WritableResponseLike } from "../types.ts";
import { isTaken } from "./take-over.ts";
import { afterShields } from "./shields.ts";

/** Sends the response. `ctx` is done. */
export type Send<Res> = (res: Res, ctx: Context) => void;

/** Returns whether it is too late to send another response. */
export const hasResponded = (res: WritableResponseLike): boolean =>
  isTaken(res) || res.headersSent || res.destroyed;

/**
 * Calls `send` when `ctx` is done, if the handler has not begun to respond and the connection is
 * still open. `send` runs one turn of the event loop after the end, so that a handler that stops at
 * once can respond by itself. While a shield of the request runs, it may wait (see shields.ts).
 */
export class DoneResponse<Res extends WritableResponseLike> extends DoneListener {
  readonly #ctx: Context;
  readonly #res: Res;
  readonly #send: Send<Res>;
  readonly #before: { forget(): void } | undefined;

  /** `before` is the one that an outer handler or middleware has registered for the same request. */
  constructor(ctx: Context, res: Res, send: Send<Res>, before: { forget(): void } | undefined) {
    super();
    this.#before = before;
    this.#ctx = ctx;
    this.#res = res;
    this.#send = send;
    this.register(ctx);
  }

  onDone(): void {
    if (hasResponded(this.#res)) return;
    setImmediate(() => afterShields(this.#ctx, nextTurn, () => this.#answer()));
  }

  #answer(): void {
    if (!hasResponded(this.#res)) this.#send(this.#res, this.#ctx);
  }

  /**
   * Forgets the response, and those before it. Call this when the handler's own response is finished,
   * or when the client has disconnected: a continuing context (see continuing-request.ts) that is
   * watched would never be collected.
   */
  forget(): void {
    this.unregister();
    this.#before?.forget();
  }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
