/** A query of PostgreSQL that cancel requests stop: what is the same for every driver. */
import { now } from "../../internal.ts";
import type { OperationEnd, StopProof } from "../operation.ts";
import { closesAfterStop, type Settings } from "../settings.ts";
import { isCanceled, repeatAfter } from "./canceled-query.ts";
import type { CancelRequest } from "./cancel-request.ts";

/** Implements `isStop` and `repeatAfter` of `Operation`. */
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
    const proof = await request.send(signal);
    if (proof !== "unsent") this.repeatAfter ??= repeatAfter(this.sentAt, stoppedAt);
    return proof;
  }

  isStop(error: unknown): boolean | "unproven" {
    return isCanceled(error);
  }

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
