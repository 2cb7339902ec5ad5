/** A result of an engine inside this process, read while it arrives. */
import type { Context } from "../../index.ts";
import { RowBuffer } from "../row-buffer.ts";
import type { Stream } from "../session.ts";
import { runInterruptible, type InterruptibleOperation } from "./interrupt.ts";

/**
 * How a stream ended: after its last row, because its loop was left, or because of an error or a
 * stop.
 */
export type StreamEnd = "complete" | "left" | "failed";

/** What an engine's adapter says about one stream. */
export interface StreamOperation<R, Row> extends Omit<InterruptibleOperation<R, void>, "use"> {
  /**
   * Returns the next batch, or `undefined` at the end. This is the call that `interrupt`
   * interrupts.
   */
  fetch(resource: R): PromiseLike<readonly Row[] | undefined>;
  /** Closes the result. Called once, after the last `fetch`. Never interrupted. */
  finish(resource: R, end: StreamEnd): PromiseLike<void>;
}

/**
 * The whole stream is one operation, from its first batch to its end, so that no other operation can
 * use its connection. Between two batches the engine does nothing, so a stop that comes then ends
 * the stream without an interrupt.
 */
export class EngineStream<R, Row> implements Stream {
  readonly ended: Promise<void>;
  readonly #operation: StreamOperation<R, Row>;
  readonly #rows = new RowBuffer<Row>({
    resume: () => this.#request("batch"),
    close: () => this.#request("close"),
  });
  #requested: "batch" | "close" | "stop" | undefined;
  #announceRequest: (() => void) | undefined;
  #state: "waiting" | "fetching" | "finishing" = "waiting";
  #wasLeft = false;

  constructor(ctx: Context, operation: StreamOperation<R, Row>) {
    this.#operation = operation;
    this.ended = runInterruptible(ctx, {
      kind: operation.kind,
      what: operation.what,
      places: operation.places,
      open: (openCtx) => operation.open(openCtx),
      use: (resource) => this.#serve(resource),
      interrupt: (resource) => {
        if (this.#state === "fetching") operation.interrupt(resource);
        else if (this.#state === "waiting") this.#request("stop");
      },
      isInterrupt: (error) => error === STOPPED || operation.isInterrupt(error),
      release: (resource, wasStopped) => operation.release(resource, wasStopped),
    });
    this.ended.then(
      () => this.#rows.end(),
      (error: unknown) => this.#rows.fail(error),
    );
  }

  next(): Promise<readonly Row[] | undefined> {
    return this.#rows.next();
  }

  async close(): Promise<void> {
    await this.#rows.close();
    // `next` has reported any other failure. This one was caused by leaving the loop.
    if (this.#wasLeft) await this.ended;
  }

  #request(what: "batch" | "close" | "stop"): void {
    this.#requested = what;
    this.#announceRequest?.();
  }

  /** Fetches a batch each time that one is requested, until the end. */
  async #serve(resource: R): Promise<void> {
    let end: StreamEnd = "failed";
    try {
      for (;;) {
        while (this.#requested === undefined) {
          await new Promise<void>((resolve) => (this.#announceRequest = resolve));
        }
        const requested = this.#requested;
        this.#requested = undefined;
        if (requested === "stop") throw STOPPED;
        if (requested === "close") {
          this.#wasLeft = true;
          end = "left";
          return;
        }
        this.#state = "fetching";
        const batch = await this.#operation.fetch(resource);
        this.#state = "waiting";
        if (batch === undefined) {
          end = "complete";
          return;
        }
        this.#rows.pushAll(batch);
      }
    } finally {
      this.#state = "finishing";
      await this.#operation.finish(resource, end);
    }
  }
}

const STOPPED = new Error("the stream was stopped between two batches");
