/**
 * The caller's deadline, from the headers of its request: relative, so that no two clocks must
 * agree. Runs on every platform.
 */

import { needFunction, show } from "../../adapter/misuse.ts";

/** A request of Node's or a `Request`: all that is asked of it here are its headers. */
export interface WithHeaders {
  readonly headers?: NodeHeaders | WebHeaders;
}
type NodeHeaders = Readonly<Record<string, string | string[] | undefined>>;
interface WebHeaders {
  get(name: string): string | null;
}

/** A header that says how long the caller will wait. */
export interface DeadlineHeader {
  readonly name: string;
  /** Milliseconds; `undefined` if the text is not in the header's grammar. Must not throw. */
  readonly parse: (text: string) => number | undefined;
}

export interface RemoteDeadlineOptions<Req> {
  /**
   * The headers to look for: a name that is known here, or a grammar of your own. The earliest
   * deadline counts. Default: `x-request-timeout-ms`.
   */
  headers?: readonly (KnownDeadlineHeader | DeadlineHeader)[];
  /** Whether this caller's word counts, as that of a proxy of ours. Must not throw. Default: everybody's does. */
  trust?: (req: Req) => boolean;
  /** Refuse a malformed header with 400 (`MalformedDeadline`), instead of passing it over. */
  strict?: boolean;
}

const milliseconds = (text: string): number | undefined =>
  // Not `Number(text)`: it takes "", "1e3", "0x10" and " 7 ".
  /^\d{1,10}$/.test(text) ? Number(text) : undefined;

const UNITS: Readonly<Record<string, number>> = {
  ...{ H: 3_600_000, M: 60_000, S: 1_000 },
  ...{ m: 1, u: 1e-3, n: 1e-6 },
};

function grpc(text: string): number | undefined {
  const [, digits, unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(text) ?? [];
  return digits === undefined ? undefined : Number(digits) * (UNITS[unit] ?? NaN);
}

const KNOWN = {
  "x-request-timeout-ms": milliseconds,
  "connect-timeout-ms": milliseconds,
  "grpc-timeout": grpc,
  "x-envoy-expected-rq-timeout-ms": milliseconds,
};

/** Ours for plain HTTP, and those of Connect, gRPC and Envoy. */
export type KnownDeadlineHeader = keyof typeof KNOWN;

const DEFAULT: readonly KnownDeadlineHeader[] = ["x-request-timeout-ms"];

/** What others make of the time that is left (`setTimeout`, PostgreSQL) ends here. */
const LONGEST = 2 ** 31 - 1;

/**
 * Told `{ request, name, value }` of each header that was passed over or refused. Looked up without
 * an import: not every platform has channels.
 */
const malformed = (globalThis as Partial<Pick<typeof globalThis, "process">>).process
  ?.getBuiltinModule?.("node:diagnostics_channel")
  .channel("eightysix:http.deadline.malformed");

/** Throws a TypeError for a header that is neither known nor described. */
function grammar(header: string | DeadlineHeader): DeadlineHeader {
  if (typeof header !== "string") return header;
  if (!Object.hasOwn(KNOWN, header)) {
    throw new TypeError(
      `deadline.headers knows no header ${JSON.stringify(header)}; pass one of ${Object.keys(KNOWN).join(", ")}, or { name, parse }`,
    );
  }
  return { name: header, parse: KNOWN[header as KnownDeadlineHeader] };
}

/** Refuses bad options now, and not when the first request arrives. */
export function checkDeadline(deadline: boolean | RemoteDeadlineOptions<never> | undefined): void {
  if (deadline === undefined || typeof deadline === "boolean") return;
  if (typeof deadline !== "object") {
    throw new TypeError(
      `deadline is true or an object such as { headers, trust, strict }, got ${show(deadline)}; the server's own limit is timeout`,
    );
  }
  const { headers = [], trust } = deadline;
  if (trust !== undefined) needFunction(trust, "trust(request)");
  for (const header of headers) grammar(header);
}

/**
 * Milliseconds from now, from 0 to 2³¹−1; `undefined` if no header says so. Whatever the headers
 * are, it returns: their text comes from outside. One that comes twice is malformed.
 */
export function readDeadline(
  req: WithHeaders,
  options: RemoteDeadlineOptions<never>,
): number | "malformed" | undefined {
  const { headers = DEFAULT, trust, strict } = options;
  let earliest: number | undefined;
  for (const header of headers) {
    const { name, parse } = grammar(header);
    const value = req.headers && valueOf(req.headers, name.toLowerCase());
    if (value === undefined) continue;
    if (trust !== undefined && !trust(req as never)) return undefined;
    const ms = typeof value === "string" ? parse(value) : undefined;
    if (ms === undefined || Number.isNaN(ms)) {
      if (malformed?.hasSubscribers) malformed.publish({ request: req, name, value });
      if (strict) return "malformed";
      continue;
    }
    earliest = Math.min(earliest ?? LONGEST, Math.max(ms, 0));
  }
  return earliest;
}

function valueOf(headers: NodeHeaders | WebHeaders, name: string): string | string[] | undefined {
  return isWeb(headers) ? (headers.get(name) ?? undefined) : headers[name];
}

/** A header of Node's that is called "get" is a text. */
function isWeb(headers: NodeHeaders | WebHeaders): headers is WebHeaders {
  return typeof headers["get"] === "function";
}
