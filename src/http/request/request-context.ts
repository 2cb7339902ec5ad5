/** `requestContext`: the context of an incoming request. */
import type { Context } from "../../index.ts";
import { show } from "../../internal.ts";
import type { RequestLike, ResponseLike } from "../types.ts";
import { checkLimits } from "./limits.ts";
import type { NodeRequest } from "./node-types.ts";
import type { RequestContextOptions } from "./options.ts";
import { isUpgrade } from "./request-end.ts";
import { lookUp, track, TrackedRequest } from "./tracked-request.ts";

/**
 * Returns the context of a request to a `node:http`, `node:https` or `node:http2` server. Each
 * request has one context. The first call creates it, and the options of that call apply. The
 * context ends when
 *
 * - the client disconnects before it has the whole response: cause `ClientDisconnected`;
 * - the response is finished: cause `RequestFinished`, which counts as finished and not as canceled;
 * - `timeout` passes: cause `LocalTimeout`;
 * - the caller's deadline passes, if `deadline` allows one: cause `RemoteDeadline`;
 * - the server shuts down and its grace period has passed (see `serve`): cause `Shutdown`;
 * - `parent` ends.
 *
 * The context of an upgraded request (events `upgrade` and `connect`) lasts as long as the
 * connection. Its cause is `RequestFinished` if this side ended the connection first, and otherwise
 * `ClientDisconnected`.
 *
 * A late call is safe: it returns a done context if the request has ended. You do not have to end
 * the context. It has a ledger, for `working` and `stopped`.
 *
 * You need not pass `response` over HTTP/2, or on Node if this module was loaded before the request
 * arrived. Otherwise pass it. Throws a TypeError if the response is needed and not found, if `req`
 * is not a request, or if an option is unknown.
 *
 * @example
 * createServer(async (req, res) => {
 *   const ctx = requestContext(req, { timeout: 5_000 });
 *   res.end(await render(ctx));
 * });
 */
export function requestContext<Req extends RequestLike = NodeRequest>(
  req: Req,
  options: RequestContextOptions<Req> & { response?: ResponseLike } = NO_OPTIONS,
): Context {
  const known = isObject(req) ? lookUp(req) : undefined;
  if (known instanceof TrackedRequest) return known.ctx;
  checkRequest(req);
  if (options !== NO_OPTIONS) checkLimits(options, "requestContext(req, options)", ["response"]);
  const res = options.response ?? known ?? (req as { res?: ResponseLike }).res; // Express sets `res`
  if (res === undefined && req.stream === undefined && !isUpgrade(req)) {
    throw new TypeError(
      "requestContext cannot find the response of this request; pass { response }, or import eightysix/http before the server starts",
    );
  }
  return track(req, res, options).ctx;
}

const NO_OPTIONS = {};

const isObject = (x: unknown): x is object => typeof x === "object" && x !== null;

/** Throws a TypeError unless `req` looks like a request of Node. */
function checkRequest(req: unknown): void {
  const isResponse = isObject(req) && "headersSent" in req;
  if (isObject(req) && ("socket" in req || "stream" in req) && !isResponse) return;
  throw new TypeError(
    `requestContext needs the request of a node:http, node:https or node:http2 server as its first argument, got ${show(req)}; ${hintFor(req, isResponse)}`,
  );
}

function hintFor(req: unknown, isResponse: boolean): string {
  if (isResponse) return "pass req, the first parameter of the request listener";
  if (isObject(req) && "signal" in req && "headers" in req) {
    return "for a Request of fetch, use eightysix/web or eightysix/hono";
  }
  return "pass the req that the server gives to its request listener (request.raw in Fastify, ctx.req in Koa)";
}
