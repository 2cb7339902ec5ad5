/** Counts what the server knows of its requests. The page shows it; the table does not use it. */
import { setTimeout as delay } from "node:timers/promises";
import type { Receipt } from "eightysix";

/** Whether an endpoint uses contexts. */
export type Mode = "without" | "with";

export interface EndedRequest {
  readonly request: number;
  readonly receipts: readonly Receipt[];
}

/** A receipt, and the number of its request. */
export type RequestReceipt = Receipt & { readonly request: number };

/** How many ended requests the page lists. */
const KEPT = 12;

export class Tally {
  #last = 0;

  /** The highest request number so far. */
  get last(): number {
    return this.#last;
  }

  /** The numbers of the requests whose handlers have not returned. */
  readonly open = { without: new Set<number>(), with: new Set<number>() };
  /** The numbers of open requests whose clients have left. */
  readonly left = new Set<number>();
  readonly answered = { without: 0, with: 0 };
  /** The requests with contexts whose receipts are not known yet. */
  readonly #awaited = new Set<number>();
  /** The receipts of all requests whose context ended early, since `takeReceipts` was last called. */
  readonly #receipts: RequestReceipt[] = [];
  /** The latest requests whose context ended early, newest first, with their receipts. */
  readonly ended: EndedRequest[] = [];

  /** Returns the number of a new request: the one in its URL if that is free, else the next. */
  begin(mode: Mode, url = ""): number {
    const wanted = Number(/[?&]request=(\d{1,6})\b/.exec(url)?.[1] ?? 0);
    const request = wanted > this.#last ? wanted : this.#last + 1;
    this.#last = request;
    this.open[mode].add(request);
    if (mode === "with") this.#awaited.add(request);
    return request;
  }

  end(mode: Mode, request: number, answered: boolean): void {
    this.open[mode].delete(request);
    this.left.delete(request);
    if (answered) this.answered[mode]++;
  }

  recordReceipts(request: number, receipts: readonly Receipt[]): void {
    this.#awaited.delete(request);
    if (!receipts.some(({ reason }) => reason !== "finished")) return;
    for (const receipt of receipts) this.#receipts.push({ request, ...receipt });
    this.ended.unshift({ request, receipts });
    this.ended.length = Math.min(this.ended.length, KEPT);
  }

  /** Waits for the receipts of all requests that have begun, and returns them once. */
  async takeReceipts(signal: AbortSignal): Promise<readonly RequestReceipt[]> {
    while (this.#awaited.size > 0) await delay(20, undefined, { signal });
    return this.#receipts.splice(0);
  }
}
