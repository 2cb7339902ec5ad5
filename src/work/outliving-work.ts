/** Work that goes on after its request has ended: the functions of `shield` and of `detach`. */

/** One function of `shield` or of `detach` that is running. */
export interface Outliving {
  readonly kind: "shield" | "detach";
}

/** The outliving work of one request, or of all requests of one server. */
export class OutlivingWork {
  readonly #running = new Set<Outliving>();
  readonly #waiting = new Set<() => void>();
  #hasShielded = false;
  #abandoned = 0;

  /** How many functions are running. */
  get size(): number {
    return this.#running.size;
  }

  /** How many functions of `shield` are running. */
  get shields(): number {
    return [...this.#running].filter(({ kind }) => kind === "shield").length;
  }

  /** Whether a `shield` has begun. */
  get hasShielded(): boolean {
    return this.#hasShielded;
  }

  /** How many functions were still running when their budget had passed. */
  get abandoned(): number {
    return this.#abandoned;
  }

  begin(work: Outliving): void {
    this.#running.add(work);
    if (work.kind === "shield") this.#hasShielded = true;
  }

  /** Records that a function has settled, or that its budget has passed before. */
  end(work: Outliving, isAbandoned: boolean): void {
    if (!this.#running.delete(work)) return;
    if (isAbandoned) this.#abandoned++;
    for (const onEnd of [...this.#waiting]) onEnd();
  }

  /** Calls `onEnd` at each end, until the returned function is called. */
  onEnd(onEnd: () => void): () => void {
    this.#waiting.add(onEnd);
    return () => void this.#waiting.delete(onEnd);
  }
}
