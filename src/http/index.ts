/**
 * eightysix/http: contexts for the requests of a node:http server.
 *
 * @packageDocumentation
 */
export { requestContext, type RequestContextOptions } from "./request.ts";
export { handler, type HandlerOptions } from "./handler.ts";
export { statusOf } from "./status.ts";
export {
  ClientDisconnected,
  LocalTimeout,
  RemoteDeadline,
  RequestCause,
  RequestFinished,
  Shutdown,
} from "./causes.ts";
export type { RequestLike, ResponseLike, SocketLike } from "./over.ts";
export type { AnswerLike } from "./answer.ts";
