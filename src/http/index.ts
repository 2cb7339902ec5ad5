/**
 * eightysix/http: contexts for the requests of a node:http, node:https or node:http2 server, and its good end.
 *
 * @packageDocumentation
 */
export { requestContext, type RequestContextOptions } from "./request/request-context.ts";
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
export type { RequestLike, ResponseLike, SocketLike, StreamLike } from "./request/request-end.ts";
export type { AnswerLike } from "./respond/respond.ts";
export { serve, type ServeOptions, type Serving, type ShutdownReport } from "./server/serve.ts";
export { notifyContext, SignalReceived } from "./server/signals.ts";
export type {
  DeadlineHeader,
  KnownDeadlineHeader,
  RemoteDeadlineOptions,
} from "./request/deadline.ts";
export type { ServerLike } from "./server/connections.ts";
export type { CurrentOption } from "./request/current-option.ts";
export type { RequestLimits } from "./request/limits.ts";
