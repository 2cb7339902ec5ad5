/** The result of one run, and what is wrong with it. */

export interface Account {
  readonly framework: string;
  requests: number;
  /** Connections by how they ended. `stayed`: until all responses had arrived, or the server closed. */
  FIN: number;
  RST: number;
  halfClose: number;
  stayed: number;
  /** Requests that were open when their client disconnected. Of these: */
  disconnected: number;
  /** requests whose context ended with `ClientDisconnected`, */
  noticed: number;
  /** and requests that ran into their timeout (see the limitations in `src/http/request/request-end.ts`). */
  missed: number;
  /** One line for each context that did not end, or ended with a wrong cause. */
  complaints: string[];
  contextsOpen: number;
  /** Contexts and signals that cannot be collected after the run. */
  contextsHeld: number;
  workLeft: number;
  /** Listeners that were added to a connection that stays open for the whole run. */
  listenersMore: number;
  socketsOpen: number;
  timers: string[];
  escaped: unknown[];
  /** Bytes of heap after the first wave and after the last. */
  heap: [before: number, after: number];
}

export function newAccount(framework: string): Account {
  return {
    ...{ framework, requests: 0, FIN: 0, RST: 0, halfClose: 0, stayed: 0 },
    ...{ disconnected: 0, noticed: 0, missed: 0, complaints: [], contextsOpen: 0, contextsHeld: 0 },
    ...{ workLeft: 0, listenersMore: 0, socketsOpen: 0, timers: [], escaped: [], heap: [0, 0] },
  };
}

/** A heap that has grown by more bytes than this has a leak. */
const GROWTH = 2 << 20;

/** Returns the fields whose values are wrong. `{}` if the run passed. */
export function wrongs(account: Account): Record<string, unknown> {
  const { complaints, contextsOpen, contextsHeld, workLeft } = account;
  const { listenersMore, socketsOpen, timers, escaped, heap } = account;
  const grown = Math.max(0, heap[1] - heap[0] - GROWTH);
  const all = {
    ...{ complaints: complaints.slice(0, 5), contextsOpen, contextsHeld, workLeft },
    ...{ listenersMore, socketsOpen, timers, escaped, grown },
  };
  const isWrong = (x: unknown): boolean => (Array.isArray(x) ? x.length > 0 : x !== 0);
  return Object.fromEntries(Object.entries(all).filter(([, value]) => isWrong(value)));
}
