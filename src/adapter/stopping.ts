/** What is known of the stops of one operation, and whether they can still arrive. */
import type { StopProof } from "./operation.ts";

/** The reason of a stop's signal. It is shared, because the platform's own reason captures a stack. */
const SETTLED = new Error("the operation has settled, or its stop timeout has passed");

/** The stop of one operation, from the end of its context to its own end. */
export class Stopping {
  wasDestroyed = false;
  /** Whether `confirmStop` has said that the answer of the operation proves nothing. */
  isDenied = false;
  /** How many stops were sent. */
  #sent = 0;
  /** How many of these were proven. */
  #proven = 0;
  readonly settled: Promise<void>;
  readonly #controller = new AbortController();
  #resolve: (() => void) | undefined;

  constructor() {
    this.settled = new Promise((resolve) => (this.#resolve = resolve));
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  onSettled(): void {
    this.#controller.abort(SETTLED);
    this.#resolve?.();
  }

  /** Returns the number of this stop among those that were sent, or 0 if it was not sent. */
  record(proof: StopProof): number {
    if (proof === "unsent") return 0;
    if (proof === "proven") this.#proven++;
    return ++this.#sent;
  }

  /** Whether nothing but the answer of the operation can prove the stop. */
  get needsAnswer(): boolean {
    return this.#sent === 1 && this.#proven === 0;
  }

  /** `isAnswered` says whether the operation was answered as one stop is answered. */
  isProven(isAnswered: boolean): boolean {
    if (this.wasDestroyed) return false;
    return this.#proven === this.#sent || (this.#sent === 1 && isAnswered && !this.isDenied);
  }
}
