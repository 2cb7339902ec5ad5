/**
 * The caller's deadline, as the headers of its request state it: how many milliseconds are left.
 * Because the duration is relative, the clocks of caller and server need not agree. Runs on every
 * platform.
 */
import { checkFunction, checkOptions, show } from "../../internal.ts";
import { clampDeadline, parseDeadline } from "../../wire/grammar.ts";
import {
  DEADLINE_HEADER,
  grammarOfHeader,
  KNOWN_DEADLINE_HEADERS,
  type KnownDeadlineHeader,
} from "../../wire/headers.ts";

/** A request of Node or a `Request` of fetch. Only its headers are read here. */
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
  /** Returns milliseconds, or `undefined` if the text is malformed. Must not throw. */
  readonly parse: (text: string) => number | undefined;
}

export interface RemoteDeadlineOptions<Req> {
  /**
   * The headers to read: names that are known here, or grammars of your own. If several headers are
   * present, the earliest deadline counts. Default: `x-request-timeout-ms`.
   */
  headers?: readonly (KnownDeadlineHeader | DeadlineHeader)[];
  /**
   * Returns whether the headers of this request count, for example because your own proxy sent the
   * request. Must not throw. Default: the headers of every request count.
   */
  trust?: (req: Req) => boolean;
  /** Whether a malformed header is refused with 400 (`MalformedDeadline`). Default: it is ignored. */
  strict?: boolean;
}

const DEFAULT: readonly KnownDeadlineHeader[] = [DEADLINE_HEADER];

/**
 * The channel that publishes `{ request, name, value }` for each malformed header. It is looked up
 * without an import, because not every platform has `node:diagnostics_channel`.
 */
const malformed = (globalThis as Partial<Pick<typeof globalThis, "process">>).process
  ?.getBuiltinModule?.("node:diagnostics_channel")
  .channel("eightysix:http.deadline.malformed");

/** Throws a TypeError if `header` is a name that is not known here. */
function grammarOf(header: string | DeadlineHeader): DeadlineHeader {
  if (typeof header !== "string") return header;
  const grammar = grammarOfHeader(header);
  if (grammar === undefined) {
    throw new TypeError(
      `deadline.headers knows no header ${JSON.stringify(header)}; pass one of ${KNOWN_DEADLINE_HEADERS.join(", ")}, or { name, parse }`,
    );
  }
  return { name: header, parse: (text) => parseDeadline(text, grammar) };
}

/** Throws if the option `deadline` of `call` makes no sense. */
export function checkDeadline(
  deadline: boolean | RemoteDeadlineOptions<never> | undefined,
  call: string,
): void {
  if (deadline === undefined || typeof deadline === "boolean") return;
  if (typeof deadline !== "object") {
    throw new TypeError(
      `deadline is true or an object such as { headers, trust, strict }, got ${show(deadline)}; the server's own limit is timeout`,
    );
  }
  checkOptions(deadline, `deadline of ${call}`, ["headers", "trust", "strict"]);
  const { headers = [], trust } = deadline;
  if (trust !== undefined) checkFunction(trust, "deadline.trust", "(req) => boolean");
  for (const header of headers) grammarOf(header);
}

/**
 * Returns how many milliseconds the caller will wait from now on, from 0 to 2³¹−1, or `undefined`
 * if no header says so. The headers come from outside, so this function never throws, whatever they
 * contain. A header that occurs twice is malformed.
 */
export function readDeadline(
  req: WithHeaders,
  options: RemoteDeadlineOptions<never>,
): number | "malformed" | undefined {
  const { headers = DEFAULT, trust, strict } = options;
  let earliest: number | undefined;
  for (const header of headers) {
    const { name, parse } = grammarOf(header);
    const value = req.headers && valueOf(req.headers, name.toLowerCase());
    if (value === undefined) continue;
    if (trust !== undefined && !trust(req as never)) return undefined;
    const ms = typeof value === "string" ? parse(value) : undefined;
    if (ms === undefined || Number.isNaN(ms)) {
      if (malformed?.hasSubscribers) malformed.publish({ request: req, name, value });
      if (strict) return "malformed";
      continue;
    }
    earliest = Math.min(earliest ?? Infinity, clampDeadline(ms));
  }
  return earliest;
}

function valueOf(headers: NodeHeaders | WebHeaders, name: string): string | string[] | undefined {
  return isWeb(headers) ? (headers.get(name) ?? undefined) : headers[name];
}

/** In the headers of Node, a header that is called "get" is a string and not a function. */
function isWeb(headers: NodeHeaders | WebHeaders): headers is WebHeaders {
  return typeof headers["get"] === "function";
}
