/** What the process reports while the tests run. */

/** Collects rejections without a handler, and the warnings about methods of an adapter that threw. */
export class ProcessReports {
  readonly #found: unknown[] = [];
  #isListening = false;

  start(): void {
    if (this.#isListening) return;
    this.#isListening = true;
    process.on("unhandledRejection", this.#onRejection).on("warning", this.#onWarning);
  }

  /** Returns what was reported, and listens no longer. */
  stop(): readonly unknown[] {
    this.#isListening = false;
    process.off("unhandledRejection", this.#onRejection).off("warning", this.#onWarning);
    return this.#found;
  }

  readonly #onRejection = (reason: unknown): void => void this.#found.push(reason);
  readonly #onWarning = (warning: Error & { code?: string }): void => {
    if (warning.code === "EIGHTYSIX_ADAPTER_THREW") this.#found.push(warning);
  };
}
