/** Checks the options for the headers that a request gets from its context. */
import type { Key } from "../index.ts";
import { checkOptions, show } from "../internal.ts";
import { checkMilliseconds, DEFAULT_MARGIN } from "../wire/deadline.ts";
import type { DeadlineGrammar } from "../wire/grammar.ts";
import { DEADLINE_HEADER, grammarOfHeader, type KnownDeadlineHeader } from "../wire/headers.ts";
import { trustedHosts, type IsTrusted } from "./trusted-hosts.ts";

/** Options for the headers that a request gets from its context. */
export interface OutgoingOptions {
  /**
   * Which servers get the deadline and the values: a list of hosts, or a function of the URL. A host
   * is written as `"api.internal"` (any port), `"api.internal:8080"`, or `"*.svc.internal"` (all
   * names below). Default: no server, because a foreign server should not learn for how long and for
   * whom a request waits.
   */
  trusted?: readonly string[] | ((url: URL) => boolean);
  /**
   * The header for the remaining milliseconds. The value of `"grpc-timeout"` has gRPC's format. The
   * value of every other header has 1 to 10 digits. Default: `"x-request-timeout-ms"`.
   */
  deadlineHeader?: KnownDeadlineHeader | (string & {});
  /**
   * Milliseconds that are subtracted from the remaining time in the header, because the response
   * needs time to arrive. Default: 5.
   */
  margin?: number;
  /**
   * The time that a request needs, in milliseconds. If less is left, the request is not sent and
   * fails with `BudgetTooSmallError`. Default: 0.
   */
  minimum?: number;
  /**
   * The values to send, each with its header: `[[TraceParent, "traceparent"]]`. A value that is
   * undefined is not sent. A header that the caller has set is kept. Default: none.
   */
  values?: readonly (readonly [key: Key<string, string | undefined>, header: string])[];
}

/** The options after their check, with their defaults. */
export interface OutgoingSettings {
  readonly isTrusted: IsTrusted;
  readonly deadlineHeader: string;
  readonly grammar: DeadlineGrammar;
  readonly margin: number;
  readonly minimum: number;
  readonly values: readonly (readonly [Key<string, string | undefined>, string])[];
}

const PAIRS = `pass a list of pairs of a key and a header, as in values: [[TraceParent, "traceparent"]]`;

const NAMES = ["trusted", "deadlineHeader", "margin", "minimum", "values"];

/**
 * Checks the options of `caller`, which has `otherNames` beside these. Throws a TypeError for an
 * unknown option, and for a wrong value.
 */
export function outgoingSettings(
  options: OutgoingOptions,
  caller: string,
  otherNames: readonly string[] = [],
): OutgoingSettings {
  checkOptions(options, caller, [...NAMES, ...otherNames]);
  const { trusted = [], deadlineHeader = DEADLINE_HEADER, values = [] } = options;
  const { margin = DEFAULT_MARGIN, minimum = 0 } = options;
  checkHeader(deadlineHeader, caller, "deadlineHeader");
  const name = deadlineHeader.toLowerCase();
  return {
    isTrusted: trustedHosts(trusted, caller),
    deadlineHeader: name,
    grammar: grammarOfHeader(name) ?? "milliseconds",
    margin: checkMilliseconds(margin, caller, "margin"),
    minimum: checkMilliseconds(minimum, caller, "minimum"),
    values: checkValues(values, caller),
  };
}

function checkHeader(name: unknown, caller: string, option: string): asserts name is string {
  if (typeof name === "string" && /^[\w!#$%&'*+.^`|~-]+$/.test(name)) return;
  throw new TypeError(
    `${caller} got ${show(name)} for the option ${option}, which is not the name of a header; pass a name such as "x-request-timeout-ms"`,
  );
}

function checkValues(values: unknown, caller: string): OutgoingSettings["values"] {
  if (!Array.isArray(values)) {
    throw new TypeError(`${caller} got ${show(values)} for the option values; ${PAIRS}`);
  }
  return values.map((pair: unknown) => {
    const [key, header] = Array.isArray(pair) ? (pair as unknown[]) : [];
    if (typeof (key as Partial<Key<string>> | null | undefined)?.name !== "string") {
      const got = Array.isArray(pair) ? `${show(key)} for a key` : show(pair);
      throw new TypeError(`${caller} got ${got} in the option values; ${PAIRS}`);
    }
    checkHeader(header, caller, "values");
    return [key as Key<string, string | undefined>, header.toLowerCase()];
  });
}
