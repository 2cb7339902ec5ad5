/** A result that is read as it comes, from an engine inside this process. */
import type { Context } from "../../index.ts";
import { runInterruptible, type Interruptible } from "./interrupt.ts";
import type { Stream } from "../sessions.ts";

export interface Reading<H, T> extends Omit<Interruptible<H, void>, "use"> {
  /** The next batch, undefined at the end. This is what is interrupted. */
  fetch(handle: H): PromiseLike<readonly T[] | undefined>;
  /** After the end, when the loop was left, or after a failure or a stop. Never interrupted. */
  finish(handle: H, end: "done" | "left" | "failed"): PromiseLike<void>;
}

/**
 * The whole stream is one operation, from its first batch to its end, so that it has its handle to
 * itself. Between two batches nothing runs, and an interrupt might hit what comes later: a stop
 * then just ends it.
 */
export class EngineStream<H, T> implements Stream {
  readonly ended: Promise<void>;
  readonly #reading: Reading<H, T>;
  #asked: "next" | "close" | "stop" | undefined;
  #wake: (() => void) | undefined;
  #reply: ((batch: readonly T[] | undefined) => void) | undefined;
  #refuse: ((error: unknown) => void) | undefined;
  #state: "waiting" | "fetching" | "finishing" = "waiting";
  #left = false;

  constructor(ctx: Context, reading: Reading<H, T>) {
    this.#reading = reading;
    this.ended = runInterruptible(ctx, {
      ...reading,
      use: (handle) => this.#use(handle),
      interrupt: (handle) => {
        if (this.#state === "fetching") reading.interrupt(handle);
        else if (this.#state === "waiting") this.#ask("stop");
      },
      isInterrupt: (error) => error === STOPPED || reading.isInterrupt(error),
    });
    this.ended.then(
      () => this.#reply?.(undefined),
      (error: unknown) => this.#refuse?.(error),
    );
  }

  next(): Promise<readonly T[] | undefined> {
    return new Promise((resolve, reject) => {
      this.#reply = resolve;
      this.#refuse = reject;
      if (this.#state === "finishing") this.ended.then(() => resolve(undefined), reject);
      else this.#ask("next");
    });
  }

  async close(): Promise<void> {
    this.#ask("close");
    // A failure is what `next` has said, except for what only the leaving brought about.
    await this.ended.catch((error: unknown) => {
      if (this.#left) throw error;
    });
  }

  #ask(what: "next" | "close" | "stop"): void {
    this.#asked = what;
    this.#wake?.();
  }

  async #use(handle: H): Promise<void> {
    let end: "done" | "left" | "failed" = "failed";
    try {
      for (;;) {
        while (this.#asked === undefined) await new Promise<void>((r) => (this.#wake = r));
        const asked = this.#asked;
        this.#asked = undefined;
        if (asked === "stop") throw STOPPED;
        if (asked === "close") {
          this.#left = true;
          end = "left";
          return;
        }
        this.#state = "fetching";
        const batch = await this.#reading.fetch(handle);
        this.#state = "waiting";
        if (batch === undefined) {
          end = "done";
          return;
        }
        this.#reply?.(batch);
      }
    } finally {
      this.#state = "finishing";
      await this.#reading.finish(handle, end);
    }
  }
}

const STOPPED = new Error("stopped while nobody was reading");
