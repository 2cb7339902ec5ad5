/**
 * eightysix/http: contexts for the requests of a node:http, node:https or node:http2 server, and its good end.
 *
 * @packageDocumentation
 */
export { requestContext, type RequestContextOptions } from "./request.ts";
export { handler, type HandlerOptions } from "./handler.ts";
export { middleware } from "./middleware.ts";
export { statusOf } from "./status.ts";
export { admission, type Admission, type AdmissionOptions } from "./admission.ts";
export {
  ClientDisconnected,
  LocalTimeout,
  MalformedDeadline,
  Overloaded,
  RemoteDeadline,
  RequestCause,
  RequestFinished,
  Shutdown,
} from "./causes.ts";
export type { RequestLike, ResponseLike, SocketLike, StreamLike } from "./over.ts";
export type { AnswerLike } from "./answer.ts";
export { serve, type ServeOptions, type Serving, type ShutdownReport } from "./serve.ts";
export { notifyContext, SignalReceived } from "./signals.ts";
export type { DeadlineHeader, KnownDeadlineHeader, RemoteDeadlineOptions } from "./deadline.ts";
export type { ServerLike } from "./connections.ts";
export type { RequestLimits } from "./limit.ts";
