/**
 * eightysix/hono: a context for every request of a Hono application, on Node and elsewhere.
 *
 * @packageDocumentation
 */
import type { Context } from "../index.ts";
import type { WritableResponseLike } from "../http/types.ts";
import {
  asRequestEndedError,
  requestEndedError,
  type RequestEndedError,
} from "../http/respond/request-ended-error.ts";
import {
  FetchTracked,
  type FetchOptions,
  type FetchRequest,
} from "../http/request/fetch-context.ts";
import type { openRequest as enterType } from "../http/framework.ts";
import type { RequestLike } from "../http/index.ts";
import { checkLimits } from "../http/request/limits.ts";
import type { AppContext } from "./types.ts";

type Ctx = Context; // inside the module below, `Context` might be its own

/* eslint-disable @typescript-eslint/ban-ts-comment -- an error only where Hono is not installed */
/** @ts-ignore */
declare module "hono" {
  interface ContextVariableMap {
    /** The request's context, from `contexts()` of eightysix/hono. */
    ctx: Ctx;
  }
}
/* eslint-enable */

/** The parts of Hono's context that are used. */
export interface HonoLike {
  readonly req: { readonly raw: FetchRequest };
  readonly env: unknown;
  readonly error: Error | undefined;
  res: Response;
  get(name: "ctx"): Context | undefined;
  set(name: "ctx", ctx: Context): void;
}

/** What @hono/node-server has in `env`. */
interface Bindings {
  readonly incoming?: RequestLike;
  readonly outgoing?: WritableResponseLike;
}

/**
 * Middleware that gives requests their context, as `c.var.ctx`: done when the client has gone, when
 * the response is finished, when `timeout` or the caller's `deadline` has passed or `parent` is done.
 * On @hono/node-server the connection tells (see `requestContext`), elsewhere `request.signal` and the response's body (see
 * eightysix/web). Use it before what needs it.
 *
 * An error that was thrown because a context is done is answered with its `statusOf`, if
 * `app.onError` made of it nothing else than 500: what that wrote is kept, if it is not plain text.
 * Hono prints such errors, where there is no `app.onError`. When the time is up before there is a
 * response, 503 or 504 is the answer one turn of the event loop later. What goes on is not waited for.
 */
export function contexts(
  options: FetchOptions<AppContext> = {},
): (c: HonoLike, next: () => Promise<unknown>) => Promise<Response | undefined> {
  checkLimits(options, "contexts(options)");
  return async (c, next) => {
    const own = optionsOf(c, options);
    const { incoming, outgoing } = (c.env ?? {}) as Bindings;
    if (incoming?.socket && outgoing) {
      const { openRequest } = await nodes();
      let late: ((end: RequestEndedError) => void) | undefined;
      const ended = new Promise<RequestEndedError>((resolve) => (late = resolve));
      const ctx = openRequest(incoming, outgoing, own, (end) => late?.(end));
      return await run(c, next, ctx, ended);
    }
    // Of a `contexts()` around this one: `requestContext` has only one for each request anyway.
    const parent = own.parent ?? c.get("ctx");
    const tracked = new FetchTracked(c.req.raw, parent ? { ...own, parent } : own);
    try {
      const late = await run(c, next, tracked.ctx, tracked.ended);
      if (late !== undefined) return late;
    } catch (error) {
      tracked.finish();
      throw error;
    }
    c.res = await tracked.deliver(c.res);
    return undefined;
  };
}

/** `trust` is asked with Hono's `c`, whichever request the header is read from. */
function optionsOf(c: HonoLike, options: FetchOptions<AppContext>): FetchOptions<never> {
  const { deadline } = options;
  if (typeof deadline !== "object" || deadline.trust === undefined) return options;
  const { trust } = deadline;
  return { ...options, deadline: { ...deadline, trust: () => trust(c as never) } };
}

async function run(
  c: HonoLike,
  next: () => Promise<unknown>,
  ctx: Context,
  ended: Promise<RequestEndedError>,
): Promise<Response | undefined> {
  c.set("ctx", ctx);
  if (ctx.err() !== undefined) return requestEndedError(ctx).getResponse();
  const late = await Promise.race([next().then(() => undefined), ended]);
  if (late !== undefined) return late.getResponse();
  // Hono has turned what was thrown into a response by now.
  const end = c.error && asRequestEndedError(ctx, c.error);
  if (end === undefined || c.res.status !== 500) return undefined;
  if (c.res.headers.get("content-type")?.startsWith("text/plain")) c.res = end.getResponse();
  else {
    const headers = new Headers(c.res.headers);
    for (const [name, value] of Object.entries(end.headers)) headers.set(name, value);
    c.res = new Response(c.res.body, { status: end.status, headers });
  }
  return undefined;
}

let node: Promise<{ openRequest: typeof enterType }> | undefined;
/** Not imported before a request has come through node:http: other platforms may lack Node's modules. */
const nodes = () => (node ??= import("../http/framework.ts"));
