/** The reply of a request that is answered while its handler still runs. */
import { removeFraming, replacedHeaders } from "../http/respond/replaced-headers.ts";
import { takeOver } from "../http/respond/take-over.ts";
import type { WritableResponseLike } from "../http/types.ts";

/** The parts of Fastify's reply that are used. */
export interface Reply {
  readonly raw: WritableResponseLike & { isLightMyRequest?: boolean };
  readonly request: object;
  readonly log: { error(error: unknown): void };
  readonly sent: boolean;
  readonly elapsedTime: number;
  code(status: number): unknown;
  getHeaders(): Record<string, number | string | string[] | undefined>;
  header(name: string, value: string): unknown;
  headers(headers: object): unknown;
  hijack(): unknown;
  removeHeader(name: string): unknown;
  send(payload: unknown): unknown;
}

/** Fastify's class of replies, one for each instance. `props` are the decorations. */
interface ReplyClass {
  new (raw: object, request: object, log: object): Reply;
  readonly props?: readonly { readonly key: PropertyKey }[];
}

/** The methods of a reply that change its response. The decorations of plugins call these. */
const METHODS = [
  ...["send", "code", "status", "header", "headers", "removeHeader", "type", "redirect"],
  ...["trailer", "removeTrailer", "serializer", "writeEarlyHints", "callNotFound", "hijack"],
];

/**
 * Takes the response away from the handler, and returns another reply for it, with which Fastify
 * runs its hooks and error handlers.
 *
 * Fastify's own error path takes time if a hook or an error handler is asynchronous. The handler,
 * whose value or error goes to `reply.send`, must not meet the answer there: Fastify would send
 * that value in its place, or throw. So the handler keeps its reply, which does nothing any more.
 */
export function takeOverReply(reply: Reply): Reply {
  const { raw, request, log } = reply;
  const taken = takeOver(raw);
  const Class = reply.constructor as ReplyClass;
  const fresh = new Class(taken.view(), request, log);
  // What plugins have stored on the reply goes along. Fastify's own state does not: it may hold a
  // serializer and trailers of the handler's body.
  const decorations = new Set((Class.props ?? []).map(({ key }) => key));
  for (const key of Reflect.ownKeys(reply)) {
    if (Object.hasOwn(fresh, key) && !decorations.has(key)) continue;
    Reflect.set(fresh, key, Reflect.get(reply, key));
  }
  Object.defineProperty(fresh, "elapsedTime", { get: () => reply.elapsedTime });
  fresh.headers(reply.getHeaders());
  replaceReplyHeaders(fresh);

  reply.hijack(); // Fastify ignores what the handler returns
  const methods = reply as unknown as Record<string, unknown>;
  for (const name of METHODS) methods[name] = () => reply;
  return fresh;
}

/** Removes the headers and trailers of the body that is replaced. */
export function replaceReplyHeaders(reply: Reply): void {
  for (const name of replacedHeaders(Object.keys(reply.getHeaders()))) reply.removeHeader(name);
  removeFraming(reply.raw); // Fastify also removes what is not set
  const trailers = Object.getOwnPropertySymbols(reply).find(
    ({ description }) => description === "fastify.reply.trailers",
  );
  if (trailers) Reflect.set(reply, trailers, null);
}
