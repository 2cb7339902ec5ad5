/** Records when the event loop was blocked. No disconnect can be noticed in that time. */

/** Shorter pauses do not count. Milliseconds. */
const LONG = 100;

export class Pulse implements Disposable {
  #last = performance.now();
  readonly #pauses: { readonly from: number; readonly to: number }[] = [];
  readonly #timer = setInterval(() => {
    const now = performance.now();
    if (now - this.#last > LONG) this.#pauses.push({ from: this.#last, to: now });
    this.#last = now;
  }, 20);

  /** Returns for how many milliseconds the event loop was blocked between these times. */
  blockedTime(from: number, to: number): number {
    return this.#pauses.reduce(
      (sum, pause) => sum + Math.max(0, Math.min(to, pause.to) - Math.max(from, pause.from)),
      0,
    );
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
