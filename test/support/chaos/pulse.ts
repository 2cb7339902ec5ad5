/** Knows when the event loop stood still: then nobody can have noticed anything. */

/** A pause that counts, in milliseconds. */
const LONG = 100;

export class Pulse implements Disposable {
  #last = performance.now();
  readonly #pauses: { readonly from: number; readonly to: number }[] = [];
  readonly #timer = setInterval(() => {
    const now = performance.now();
    if (now - this.#last > LONG) this.#pauses.push({ from: this.#last, to: now });
    this.#last = now;
  }, 20);

  /** For how long it stood still between these times, in milliseconds. */
  stoodStill(from: number, to: number): number {
    return this.#pauses.reduce(
      (sum, pause) => sum + Math.max(0, Math.min(to, pause.to) - Math.max(from, pause.from)),
      0,
    );
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
