/**
 * eightysix/fetch: HTTP out with a context. Runs where there is no Node as well.
 *
 * @packageDocumentation
 */
export {
  fetch,
  wrapFetch,
  type AnyFetch,
  type ContextFetch,
  type FetchOptions,
  type PlatformFetch,
} from "./fetch.ts";
export { requestInit, type RequestInitOptions } from "./request-init.ts";
export { contextInterceptor, type ContextInterceptor } from "./interceptor.ts";
export { BudgetTooSmallError } from "./outgoing-headers.ts";
export type { OutgoingOptions } from "./settings.ts";
