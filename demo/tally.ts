/** What the server itself knows of its requests: for the page, not for the proof. */
import type { Receipt } from "eightysix";

export type Mode = "deaf" | "contexts";

export interface DeadRequest {
  readonly request: number;
  readonly receipts: readonly Receipt[];
}

const KEPT = 12;

export class Tally {
  #last = 0;

  /** The highest number so far. */
  get last(): number {
    return this.#last;
  }

  /** Handlers that have not returned, by mode, with the numbers of their requests. */
  readonly open = { deaf: new Set<number>(), contexts: new Set<number>() };
  /** Of those, whose clients have left. */
  readonly left = new Set<number>();
  readonly answered = { deaf: 0, contexts: 0 };
  /** The latest dead requests, newest first, and what was stopped for each. */
  readonly dead: DeadRequest[] = [];

  /** The number of a new request: the one that its client asks for in the URL, if that is free. */
  begin(mode: Mode, url = ""): number {
    const wanted = Number(/[?&]request=(\d{1,6})\b/.exec(url)?.[1] ?? 0);
    const request = wanted > this.#last ? wanted : this.#last + 1;
    this.#last = request;
    this.open[mode].add(request);
    return request;
  }

  end(mode: Mode, request: number, answered: boolean): void {
    this.open[mode].delete(request);
    this.left.delete(request);
    if (answered) this.answered[mode]++;
  }

  bury(request: number, receipts: readonly Receipt[]): void {
    this.dead.unshift({ request, receipts });
    this.dead.length = Math.min(this.dead.length, KEPT);
  }
}
