/** A query of PostgreSQL that cancel requests stop: what is the same for every driver. */
import { now } from "../../internal.ts";
import type { OperationEnd, StopProof } from "../operation.ts";
import { closesAfterStop, type Settings } from "../settings.ts";
import { isCanceled, repeatAfter } from "./canceled-query.ts";
import type { CancelRequest } from "./cancel-request.ts";
import { sendsNoSecondSignal, type ClientSide } from "./second-signal.ts";

/** Implements `isStop`, `confirmStop` and `repeatAfter` of `Operation`. */
export abstract class CancelableQuery {
  protected readonly settings: Settings;
  /** When the query was sent, or its last fetch. */
  protected sentAt = 0;
  /** Whether the query was asked to stop after it was sent. */
  protected wasStopped = false;
  /** Whether the query is waited for if it cannot be stopped, because its outcome must be known. */
  protected readonly mustFinish: boolean = false;
  repeatAfter: number | undefined;
  #request: CancelRequest | undefined;
  /** Whether the query was answered before the connection of its last request was closed. */
  #wasAnsweredFirst = false;

  constructor(settings: Settings) {
    this.settings = settings;
  }

  /**
   * Sends a cancel request, as `CancelRequest.send` does. Without a request, because the server has
   * sent no key for one, waits for a query that must finish. Rejects for every other query, so that
   * its connection is destroyed.
   */
  protected async cancel(
    request: CancelRequest | undefined,
    signal: AbortSignal,
  ): Promise<StopProof> {
    this.#request = request;
    if (request === undefined) {
      if (!this.mustFinish) throw new Error("the server sent no key for cancel requests");
      await whenAborted(signal);
      return "unsent";
    }
    this.wasStopped = true;
    const stoppedAt = now();
    let wasAnswered = false;
    // What one turn of the event loop delivers can have arrived in any order. So the answer counts as
    // the first only if its turn ends before the close.
    signal.addEventListener("abort", () => setImmediate(() => (wasAnswered = true)));
    const proof = await request.send(signal);
    this.#wasAnsweredFirst = wasAnswered;
    if (proof !== "unsent") this.repeatAfter ??= repeatAfter(this.sentAt, stoppedAt);
    return proof;
  }

  isStop(error: unknown): boolean | "unproven" {
    return isCanceled(error);
  }

  confirmStop(): Promise<boolean> | undefined {
    const request = this.#request;
    if (request === undefined || this.#wasAnsweredFirst) return undefined;
    if (this.settings.onCancel !== "auto") return undefined;
    return sendsNoSecondSignal(request.server, this.clientSide(), (text) => this.ask(text));
  }

  /** Returns where the client of the query's connection sees itself. */
  protected abstract clientSide(): ClientSide;

  /**
   * Sends a statement after the query, before any other. Resolves with the number of its rows. Rejects
   * if the connection cannot serve it.
   */
  protected abstract ask(text: string): Promise<number>;

  /** Gives the last request up. Call it after the connection was destroyed. */
  protected abandonRequest(): void {
    this.#request?.abandon();
  }

  /** Whether the connection is closed after the query, because a request may still arrive there. */
  protected mustClose(end: OperationEnd): boolean {
    return this.wasStopped && closesAfterStop(this.settings, end);
  }
}

function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve());
  });
}
