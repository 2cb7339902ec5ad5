/** What a run comes to, and what is wrong about it. */

export interface Account {
  readonly framework: string;
  requests: number;
  /** Connections by how they ended; `stayed` until all was answered, or until the server closed. */
  FIN: number;
  RST: number;
  halfClose: number;
  stayed: number;
  /** Requests that were under way when their client left, and of these: */
  abandoned: number;
  /** those that were stopped for it, */
  noticed: number;
  /** and those that ran into their limit, as is written down in `src/http/request/request-end.ts`. */
  missed: number;
  /** Contexts without an end, or with a wrong one. */
  complaints: string[];
  contextsOpen: number;
  /** Contexts and signals that somebody holds when all is over: they cannot be collected. */
  contextsHeld: number;
  workLeft: number;
  /** On a connection that lives through it all. */
  listenersMore: number;
  socketsOpen: number;
  timers: string[];
  escaped: unknown[];
  /** Bytes after the first wave and after the last. */
  heap: [before: number, after: number];
}

export function newAccount(framework: string): Account {
  return {
    ...{ framework, requests: 0, FIN: 0, RST: 0, halfClose: 0, stayed: 0 },
    ...{ abandoned: 0, noticed: 0, missed: 0, complaints: [], contextsOpen: 0, contextsHeld: 0 },
    ...{ workLeft: 0, listenersMore: 0, socketsOpen: 0, timers: [], escaped: [], heap: [0, 0] },
  };
}

/** A heap that has grown by this much, in bytes, has a leak. */
const GROWTH = 2 << 20;

/** What may not be, by name. Equal to `{}` if all is well. */
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
