/**
 * eightysix/hono: a context for every request of a Hono application, on Node and elsewhere.
 *
 * @packageDocumentation
 */
import type { Context } from "../index.ts";
import { checkContextsOptions } from "../http/request/contexts-options.ts";
import {
  continueHandlers,
  withValuesOf,
  type ContinuingRequestOptions,
} from "../http/request/continuing-request.ts";
import {
  currentMode,
  outermostOptions,
  type CurrentOption,
} from "../http/request/current-option.ts";
import type { CurrentRequest } from "../http/request/current.ts";
import { FetchContext, type HandlerOptions } from "../http/request/fetch-context.ts";
import { withDeadlineOf, withLimits } from "../http/request/limits.ts";
import { readableError } from "../http/respond/readable-error.ts";
import type { WritableResponseLike } from "../http/types.ts";
import {
  asRequestEndedError,
  requestEndedError,
  type RequestEndedError,
} from "../http/respond/request-ended-error.ts";
import { replaceFetchHeaders } from "../http/respond/replaced-headers.ts";
import type { openCurrent, OpenedRequest, openRequest } from "../http/framework.ts";
import type { RequestLike } from "../http/index.ts";
import type { AppContext, HonoLike } from "./types.ts";

export type { HonoLike };

type Ctx = Context; // `Context` means another type inside the module below

/* eslint-disable @typescript-eslint/ban-ts-comment -- an error only where Hono is not installed */
/** @ts-ignore */
declare module "hono" {
  interface ContextVariableMap {
    /** The request's context, from `contexts()` of eightysix/hono. */
    ctx: Ctx;
  }
}
/* eslint-enable */

/** The members of `env` on @hono/node-server. */
interface Bindings {
  readonly incoming?: RequestLike;
  readonly outgoing?: WritableResponseLike;
}

/**
 * Returns middleware that gives each request its context, as `c.var.ctx`. The context ends when the
 * client disconnects, when the response is finished, when `timeout` or the caller's `deadline` has
 * passed, or when `parent` ends. On @hono/node-server the connection decides (see
 * `requestContext`). Elsewhere `request.signal` and the response's body decide (see eightysix/web).
 * Register it before the routes.
 *
 * If a handler throws because a context has ended, the response has the `statusOf` that error,
 * unless `app.onError` has responded with another status than 500. A body that `app.onError` has
 * written is kept, unless it is plain text. Without an `app.onError`, Hono prints such errors.
 *
 * If a limit or `parent` ends the context before there is a response, the response is a 503 or 504,
 * one turn of the event loop later. The middleware does not wait for handlers that go on.
 *
 * Throws a TypeError or RangeError for a wrong option.
 *
 * @example
 * app.use(contexts({ timeout: 30_000 }));
 * app.get("/", async (c) => c.json((await db.query(c.var.ctx, "select 1")).rows));
 */
export function contexts(
  options: HandlerOptions<AppContext> & CurrentOption = {},
): (c: HonoLike, next: () => Promise<unknown>) => Promise<Response | undefined> {
  checkContextsOptions(options, "contexts(options)");
  return async (c, next) => {
    const own = optionsFor(c, options);
    const { incoming, outgoing } = (c.env ?? {}) as Bindings;
    if (incoming?.socket && outgoing) {
      const node = await loadNode();
      let late: ((end: RequestEndedError) => void) | undefined;
      const ended = new Promise<RequestEndedError>((resolve) => (late = resolve));
      const onLate = (end: RequestEndedError): void => late?.(end);
      const seen = c.get("ctx");
      const { ctx, responded } = node.openRequest(incoming, outgoing, own, onLate, seen);
      try {
        return await run(c, next, { ctx, ended, responded, request: incoming }, () =>
          node.openCurrent(incoming, outgoing, own, () => c.get("ctx") ?? ctx),
        );
      } catch (error) {
        throw readableError(error);
      }
    }
    const { raw } = c.req;
    const mode = currentMode(raw, options);
    const Current = mode === false ? undefined : (await loadCurrent()).CurrentRequest;
    // The context of an outer `contexts()`, if there is one.
    const parent = own.parent ?? c.get("ctx");
    const context = new FetchContext(raw, parent ? { ...own, parent } : own);
    const outermost = outermostOptions(raw, own);
    const continuingOptions: ContinuingRequestOptions = {
      own: context.ctx,
      parents: [outermost.parent, own.parent],
      limit(above) {
        const limited = withLimits(above, raw, own) ?? above;
        if (outermost === own) return limited;
        return withDeadlineOf(context.ctx, limited, raw, outermost);
      },
    };
    const continuing = continueHandlers(raw, own, () => continuingOptions);
    const created = continuing?.created;
    const ctx = continuing
      ? withValuesOf(created ? undefined : context.ctx, continuing.ctx)
      : context.ctx;
    const opened = {
      ...{ ctx, request: raw },
      ended: continuing ? context.endOf(continuing.ctx) : context.ended,
      responded: created && (() => created.responded()),
    };
    try {
      const late = await run(c, next, opened, () => {
        if (mode === false || Current === undefined) return undefined;
        const read = () => c.get("ctx") ?? ctx;
        return new Current(raw, { ...continuingOptions, mode, method: c.req.method, read });
      });
      if (late !== undefined) return late;
    } catch (error) {
      context.finish();
      throw readableError(error);
    }
    c.res = await context.follow(c.res);
    return undefined;
  };
}

type Options = HandlerOptions<never> & CurrentOption;

/** A request as one `contexts()` opens it, on any platform. */
interface Opened extends OpenedRequest {
  readonly ended: Promise<RequestEndedError>;
  readonly request: object;
}

/** Returns the options with a `trust` that is called with `c`, and not with the request that has the header. */
function optionsFor(c: HonoLike, options: HandlerOptions<AppContext> & CurrentOption): Options {
  const { deadline } = options;
  if (typeof deadline !== "object" || deadline.trust === undefined) return options;
  const { trust } = deadline;
  return { ...options, deadline: { ...deadline, trust: () => trust(c as never) } };
}

/**
 * Calls `next`. If the context ends before `next` has responded, returns the response for that end.
 */
async function run(
  c: HonoLike,
  next: () => Promise<unknown>,
  { ctx, ended, responded, request }: Opened,
  open: () => CurrentRequest | undefined,
): Promise<Response | undefined> {
  c.set("ctx", ctx);
  if (ctx.err() !== undefined) {
    responded?.();
    return requestEndedError(ctx).getResponse();
  }
  const current = open();
  const handling = current === undefined ? next() : current.runUntilSettled(next);
  if (responded !== undefined) handling.then(responded, responded);
  const late = await Promise.race([handling.then(() => undefined), ended]);
  if (late !== undefined) return respondWith(c, late);
  // By now, Hono has turned an error of a handler into a response.
  const end = c.error && asRequestEndedError(request, ctx, c.error);
  if (end === undefined || c.res.status !== 500) return undefined;
  if (c.res.headers.get("content-type")?.startsWith("text/plain")) respondWith(c, end);
  else {
    // The type stays, because the body stays.
    const headers = new Headers(c.res.headers);
    const type = headers.get("content-type");
    replaceFetchHeaders(headers);
    if (type !== null) headers.set("content-type", type);
    for (const [name, value] of Object.entries(end.headers)) headers.set(name, value);
    replaceResponse(c, new Response(c.res.body, { status: end.status, headers }));
  }
  return undefined;
}

/** Responds in plain text, with the headers that do not belong to the body that is replaced. */
function respondWith(c: HonoLike, end: RequestEndedError): Response {
  const response = end.getResponse();
  const headers = new Headers(c.res.headers); // of CORS, for example
  replaceFetchHeaders(headers);
  for (const [name, value] of response.headers) headers.set(name, value);
  return replaceResponse(c, new Response(response.body, { status: response.status, headers }));
}

/** Sets `c.res`. Hono would merge the headers of the response that it replaces. */
function replaceResponse(c: { res: Response | undefined }, response: Response): Response {
  c.res = undefined;
  c.res = response;
  return response;
}

let node: Promise<{ openCurrent: typeof openCurrent; openRequest: typeof openRequest }> | undefined;
/** Imports the part that needs Node's modules, when a request has come through node:http. */
const loadNode = () => (node ??= import("../http/framework.ts"));

let current: Promise<{ CurrentRequest: typeof CurrentRequest }> | undefined;
/** Imports the part that needs AsyncLocalStorage, when `current` asks for it. */
const loadCurrent = () => (current ??= import("../http/request/current.ts"));
