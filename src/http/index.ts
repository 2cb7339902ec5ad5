/**
 * eightysix/http: contexts for the requests of a node:http, node:https or node:http2 server, and its
 * shutdown.
 *
 * @packageDocumentation
 */
export { requestContext } from "./request/request-context.ts";
export type { RequestContextOptions } from "./request/options.ts";
export { handler, type HandlerOptions } from "./handler.ts";
export { middleware } from "./middleware.ts";
export { statusOf } from "./respond/status.ts";
export { admission, type Admission, type AdmissionOptions } from "./admission/admission.ts";
export {
  ClientDisconnected,
  LocalTimeout,
  MalformedDeadline,
  OverloadedError,
  RemoteDeadline,
  RequestCause,
  RequestFinished,
  Shutdown,
} from "./request/causes.ts";
export type {
  RequestLike,
  ResponseLike,
  SocketLike,
  StreamLike,
  WritableResponseLike,
} from "./types.ts";
export { serve } from "./server/serve.ts";
export { notifyContext, SignalReceived } from "./server/signals.ts";
export type { DeadlineHeader, RemoteDeadlineOptions } from "./request/deadline.ts";
export type { KnownDeadlineHeader } from "../wire/headers.ts";
export type { ServeOptions, ServerLike, Serving, ShutdownReport } from "./server/types.ts";
export type { CurrentOption } from "./request/current-option.ts";
export type { RequestLimits } from "./request/limits.ts";
