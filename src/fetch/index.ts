/**
 * Outgoing HTTP requests with a context. It also runs outside of Node.
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
export { BudgetTooSmallError } from "../wire/budget-too-small-error.ts";
export type { OutgoingOptions } from "./outgoing-settings.ts";
