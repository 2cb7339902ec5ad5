/** What of a context may leave the process, and to whom. */
import type { Key } from "../index.ts";
import { formOf, type Form } from "./deadline-header.ts";

export interface OutgoingOptions {
  /**
   * Who may be told the deadline and the values: a function of the URL, or hosts as
   * `"api.internal"` (any port), `"api.internal:8080"`, `"*.svc.internal"` (everything below).
   * Default: nobody. How long you will wait, and whom for, is no stranger's business.
   */
  trusted?: readonly string[] | ((url: URL) => boolean);
  /**
   * The header for the milliseconds that are left. `"grpc-timeout"` is written in gRPC's own form,
   * every other as 1 to 10 digits. Default: `"x-request-timeout-ms"`.
   */
  deadlineHeader?:
    | "x-request-timeout-ms"
    | "connect-timeout-ms"
    | "x-envoy-expected-rq-timeout-ms"
    | "grpc-timeout"
    | (string & {});
  /** Milliseconds kept back from what is told, for the answer's way home. Default: 5. */
  margin?: number;
  /** With less than so many milliseconds left, nothing is sent: `BudgetTooSmallError`. Default: 0. */
  minimum?: number;
  /**
   * The values that cross, each with its header: `[[TraceParent, "traceparent"]]`. No other does,
   * and one that is undefined does not. A header of the caller's own wins.
   */
  values?: readonly (readonly [key: Key<string, string | undefined>, header: string])[];
}

/** The options, checked and with their defaults. */
export interface Settings {
  trusts(url: URL): boolean;
  readonly header: string;
  readonly form: Form;
  readonly margin: number;
  readonly minimum: number;
  readonly values: readonly (readonly [Key<string, string | undefined>, string])[];
}

/** Throws a TypeError for what is no option of ours. */
export function settingsOf(options: OutgoingOptions): Settings {
  const { trusted = [], deadlineHeader = "x-request-timeout-ms", values = [] } = options;
  for (const name of [deadlineHeader, ...values.map(([, name]) => name)]) {
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) {
      throw new TypeError(`no header can be named ${JSON.stringify(name)}`);
    }
  }
  return {
    trusts: typeof trusted === "function" ? trusted : anyOf(trusted.map(hostMatcher)),
    header: deadlineHeader.toLowerCase(),
    form: formOf(deadlineHeader),
    margin: duration(options.margin ?? 5, "margin"),
    minimum: duration(options.minimum ?? 0, "minimum"),
    values: values.map(([key, name]) => [key, name.toLowerCase()]),
  };
}

function duration(ms: unknown, name: string): number {
  if (typeof ms === "number" && ms >= 0 && ms < Infinity) return ms;
  throw new TypeError(`${name} is a number of milliseconds from 0 on, got ${String(ms)}`);
}

type Match = (url: URL) => boolean;

function anyOf(matchers: readonly Match[]): Match {
  return (url) => matchers.some((matches) => matches(url));
}

/** As strict as can be: an entry that is not understood must not come to mean more than was meant. */
function hostMatcher(entry: string): Match {
  const [, below, name = "", port] =
    /^(\*\.)?(\[[^\]]+\]|[^:/?#@\\*\s]+)(?::(\d+))?$/.exec(entry) ?? [];
  if (!URL.canParse(`http://${name}`)) {
    throw new TypeError(
      `trusted takes hosts, got ${JSON.stringify(entry)}; write "api.internal", "api.internal:8080" or "*.svc.internal", or pass a function of the URL`,
    );
  }
  const { hostname } = new URL(`http://${name}`); // as URLs write it: lower case, Punycode
  return (url) => {
    if (url.protocol !== "http:" && url.protocol !== "https:") return false;
    if (port !== undefined && Number(port) !== portOf(url)) return false;
    return below === undefined ? url.hostname === hostname : url.hostname.endsWith(`.${hostname}`);
  };
}

function portOf(url: URL): number {
  return Number(url.port || (url.protocol === "https:" ? 443 : 80));
}
