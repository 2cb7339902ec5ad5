/** A scope that ends with the last of several others, for `SingleFlight`. */
import type { End } from "./end.ts";
import {
  ALWAYS_PROBE,
  dependOn,
  earlier,
  endOf,
  push,
  Scope,
  tie,
  unlink,
  type Tie,
} from "./tree.ts";

/** With at most so many sources, those that have ended are not searched for. */
const FEW = 8;

/** What the scope knows of a source. */
interface Source {
  /** The number of earlier additions when this source was added. A later addition renews it. */
  position: number;
  /** Exists while the scope is watched. */
  tie: Tie | undefined;
}

/**
 * A scope without a parent that ends when the last of its sources has ended, with the end of that
 * source. If several ended last at the same time, the one that was added last counts. A scope
 * without sources is live.
 *
 * It has no deadline, even if all its sources have one, because a source may still be added. When
 * their deadlines have passed, it has ended.
 */
export class JoinAllScope extends Scope {
  readonly #name: string;
  /** The sources that may be live, in the order in which they were added. */
  readonly #sources = new Map<Scope, Source>();
  /** The number of additions. */
  #added = 0;
  /** The size of `#sources` at which those that have ended are searched for. */
  #searchAt = FEW;
  /** Whether a source can never end. */
  #isEndless = false;
  /** The last end of the sources that are no longer in `#sources`. */
  #last: { readonly end: End; readonly position: number } | undefined;
  #isProbing = false;
  #isArmed = false;

  /** `name` is for logs. */
  constructor(name: string) {
    super(undefined);
    this.#name = name;
    // The deadline of a source passes without changing `endEpoch`, so every pull probes this scope.
    this.aliveEpoch = ALWAYS_PROBE;
  }

  override describe(): string {
    return this.#name;
  }

  /**
   * Adds a source. `undefined` stands for a context that can never end. Returns whether this scope is
   * live. If it is not, the source has no effect.
   */
  add(source: Scope | undefined): boolean {
    if (endOf(this) !== undefined) return false;
    if (source === undefined) this.#isEndless = true;
    if (source === undefined || this.#isEndless) return true;
    const known = this.#sources.get(source);
    if (known !== undefined) {
      known.position = this.#added++;
      return true;
    }
    if (this.#sources.size >= this.#searchAt) this.#forgetEnded();
    // The end of a source needs a time, because the last one counts.
    dependOn(source);
    const link = this.#isArmed ? tie(source, this) : undefined;
    this.#sources.set(source, { position: this.#added++, tie: link });
    return !this.#pushIfEnded();
  }

  override probe(): End | undefined {
    // A source that lies below this scope asks this scope. Then the answer is not known yet.
    if (this.#isEndless || this.#isProbing) return undefined;
    this.#isProbing = true;
    try {
      for (const [source, known] of this.#sources)
        if (!this.#forgetIfEnded(source, known)) return undefined;
      return this.#last?.end;
    } finally {
      this.#isProbing = false;
    }
  }

  override arm(): () => void {
    this.#isArmed = true;
    const stop = (): void => {
      this.#isArmed = false;
      for (const known of this.#sources.values()) {
        if (known.tie !== undefined) unlink(known.tie);
        known.tie = undefined;
      }
    };
    try {
      for (const [source, known] of this.#sources) known.tie ??= tie(source, this);
      this.#pushIfEnded();
    } catch (error) {
      stop();
      throw error;
    }
    return stop;
  }

  /** Listening to a source can reveal an end, of which no push is under way. */
  #pushIfEnded(): boolean {
    if (endOf(this) === undefined) return false;
    push(this);
    return true;
  }

  /** Forgets all sources that have ended. Searches again when there are twice as many. */
  #forgetEnded(): void {
    for (const [source, known] of this.#sources) this.#forgetIfEnded(source, known);
    this.#searchAt = FEW + 2 * this.#sources.size;
  }

  /** Forgets a source if it has ended, and keeps its end if that is the last one. */
  #forgetIfEnded(source: Scope, { position, tie }: Source): boolean {
    const end = endOf(source);
    if (end === undefined) return false;
    this.#sources.delete(source);
    if (tie !== undefined) unlink(tie);
    const last = this.#last;
    // `earlier` prefers its first argument, so the first is the end of the source that was added first.
    const isLast =
      last === undefined ||
      (position < last.position
        ? earlier(end, last.end) !== end
        : earlier(last.end, end) === last.end);
    if (isLast) this.#last = { end, position };
    return true;
  }
}
