/** The names under which a deadline and an error travel with a request, a message or a response. */
import type { DeadlineGrammar } from "./grammar.ts";

/**
 * The header for the remaining milliseconds of a caller, in the grammar `"milliseconds"`. It is in
 * lower case, because the names of message headers may be case-sensitive.
 */
export const DEADLINE_HEADER = "x-request-timeout-ms";

/**
 * The header of a reply for the error with which the callee's work ended: the text of `formatError`.
 * A reply without it is a success.
 */
export const ERROR_HEADER = "x-request-error";

const GRAMMARS = {
  [DEADLINE_HEADER]: "milliseconds",
  "connect-timeout-ms": "milliseconds",
  "grpc-timeout": "grpc",
  "x-envoy-expected-rq-timeout-ms": "milliseconds",
} as const satisfies Record<string, DeadlineGrammar>;

/** The headers of this package for plain HTTP, of Connect, of gRPC and of Envoy. */
export type KnownDeadlineHeader = keyof typeof GRAMMARS;

export const KNOWN_DEADLINE_HEADERS: readonly string[] = Object.keys(GRAMMARS);

/** Returns the grammar of a header, or `undefined` if the header is unknown. */
export function grammarOfHeader(name: string): DeadlineGrammar | undefined {
  return Object.hasOwn(GRAMMARS, name) ? GRAMMARS[name as KnownDeadlineHeader] : undefined;
}
