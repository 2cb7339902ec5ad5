/**
 * A time during which an engine was seen busy: PostgreSQL and DuckDB with one request, libsql on one
 * of its threads. Times are on the scale of `performance.now()`. The file that watches an engine says
 * what "busy" means there.
 */
export interface Span {
  readonly engine: Engine;
  /** The number of the request (PostgreSQL, DuckDB), or the id of the thread (libsql). */
  readonly worker: number;
  readonly start: number;
  /** `undefined` while it lasts. */
  end: number | undefined;
}

export type Engine = "postgres" | "duckdb" | "libsql";

/** The spans of all engines, in the order in which they were first seen. */
export class Spans {
  readonly all: Span[] = [];
  readonly #open = new Map<string, Span>();

  begin(engine: Engine, worker: number, start: number): void {
    const span: Span = { engine, worker, start, end: undefined };
    this.all.push(span);
    this.#open.set(`${engine} ${worker}`, span);
  }

  end(engine: Engine, worker: number, end: number): void {
    const span = this.current(engine, worker);
    if (span === undefined) return;
    span.end = Math.max(end, span.start);
    this.#open.delete(`${engine} ${worker}`);
  }

  /** Returns the span in progress on a worker. */
  current(engine: Engine, worker: number): Span | undefined {
    return this.#open.get(`${engine} ${worker}`);
  }

  /** Returns the spans in progress, of one engine or of all. */
  running(engine?: Engine): Span[] {
    return [...this.#open.values()].filter(
      (span) => engine === undefined || span.engine === engine,
    );
  }

  /** Returns how many spans were in progress at `time`. */
  runningAt(time: number, engine?: Engine): number {
    return this.#of(engine).filter(({ start, end = Infinity }) => start <= time && time < end)
      .length;
  }

  /** Returns when an engine was last busy. `undefined` while it is busy, and if it never was. */
  idleSince(engine?: Engine): number | undefined {
    if (this.running(engine).length > 0) return undefined;
    const ends = this.#of(engine).map(({ end }) => end ?? 0);
    return ends.length === 0 ? undefined : Math.max(...ends);
  }

  /** Returns the summed length of all spans between two times, in milliseconds. */
  busy(from: number, to: number, engine?: Engine): number {
    return this.#of(engine).reduce((sum, { start, end = to }) => {
      return sum + Math.max(0, Math.min(end, to) - Math.max(start, from));
    }, 0);
  }

  /** Removes the spans that have ended, between two runs of traffic. */
  clear(): void {
    this.all.splice(0, this.all.length, ...this.#open.values());
  }

  #of(engine: Engine | undefined): Span[] {
    return engine === undefined ? this.all : this.all.filter((span) => span.engine === engine);
  }
}

/** Ends a watch. Resolves when its timers and connections are closed. */
export type StopWatching = () => Promise<void>;

/**
 * Looks at the busy workers every `every` milliseconds, and records what changed. A recorded time is
 * late by at most `every`, plus the time for which the event loop was blocked.
 */
export function sample(
  engine: Engine,
  spans: Spans,
  look: () => Iterable<number>,
  every: number,
): StopWatching {
  const timer = setInterval(() => {
    const now = performance.now();
    const busy = new Set(look());
    for (const { worker } of spans.running(engine)) {
      if (!busy.has(worker)) spans.end(engine, worker, now);
    }
    for (const worker of busy) {
      if (spans.current(engine, worker) === undefined) spans.begin(engine, worker, now);
    }
  }, every);
  timer.unref();
  return () => {
    clearInterval(timer);
    return Promise.resolve();
  };
}
