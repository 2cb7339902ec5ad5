/**
 * eightysix/fastify: a context for every request of a Fastify server.
 *
 * @packageDocumentation
 */
import type { Context } from "../index.ts";
import { sendableError } from "../http/respond/sendable-error.ts";
import { respond } from "../http/respond/respond.ts";
import type { WritableResponseLike } from "../http/types.ts";
import {
  asRequestEndedError,
  requestEndedError,
  type RequestEndedError,
} from "../http/respond/request-ended-error.ts";
import { callNext, openRequest, isGone } from "../http/framework.ts";
import type { RequestContextOptions, RequestLike } from "../http/index.ts";
import { checkContextsOptions } from "../http/request/contexts-options.ts";
import type { CurrentOption } from "../http/request/current-option.ts";
import type { DisconnectOption } from "../http/request/disconnect-option.ts";
import { replaceReplyHeaders, takeOverReply, type Reply } from "./reply.ts";

type Ctx = Context; // `Context` might mean another type inside the module below

/* eslint-disable @typescript-eslint/ban-ts-comment -- an error only where Fastify is not installed */
/** @ts-ignore */
declare module "fastify" {
  interface FastifyRequest {
    /** The request's context, from `contexts` of eightysix/fastify. */
    ctx: Ctx;
  }
  interface FastifyContextConfig {
    /** The options of `contexts` for this route. They replace those of the plugin. */
    contexts?: Own;
  }
}
/* eslint-enable */

type Options = RequestContextOptions & CurrentOption & DisconnectOption;
type Own = Options; // `Options` might mean another type inside the module above

/** The options of `register` itself, which Fastify and avvio read and pass on to the plugin. */
const FASTIFYS_OWN = ["prefix", "logLevel", "logSerializers", "name"];

/** The parts of a Fastify instance that are used. */
export interface FastifyLike {
  decorateRequest(
    name: string,
    property: { getter(this: object): Context; setter(this: object, ctx: Context): void },
  ): unknown;
  addHook(name: "onRequest" | "onError" | "onRoute", hook: (...args: never[]) => void): unknown;
}
interface Request {
  readonly raw: RequestLike;
  readonly routeOptions: Route;
  [HELD]?: Context;
  /** Whether Fastify has been given an error. Its hooks may take a while. */
  [FAILING]?: true;
}
interface Route {
  readonly config?: { readonly contexts?: Options };
}
const FAILING = Symbol("eightysix.fastify.failing");
const HELD = Symbol("eightysix.fastify.ctx");

/**
 * A plugin that gives each request its context, as `request.ctx`. The context ends when the client
 * disconnects, when the response is finished, when `timeout` or the caller's `deadline` has passed,
 * or when `parent` ends (see `requestContext`). The plugin applies to the whole instance that
 * registers it, without `fastify-plugin`. Hooks may replace `request.ctx`, for example with
 * `withValue(request.ctx, key, value)`.
 *
 * If a handler throws because a context has ended, the response has the `statusOf` that error.
 * Fastify's own error handler or yours sends it. `reply.statusCode` is set before the error handler
 * is called. Any other error is left to Fastify, unless Fastify would throw when it reads it or
 * formats it as JSON: then the response is a plain 500, and the log says what was thrown. If the
 * client has disconnected, also in the middle of an upload, no error handler is called and nothing is
 * logged, because nothing can be sent.
 *
 * If the context ends before a response has begun, by a limit or by `parent`, an error with that
 * `statusCode` is sent one turn of the event loop later, so that a handler that stops at once can
 * respond by itself. A response that the handler sends later is discarded. A response that has
 * begun is left to the handler. If the context has ended before the start, no handler is called.
 *
 * `request.signal` and `handlerTimeout` of Fastify 5.12 are not used. The signal aborts as soon as a
 * body has been read, and the timeout never passes for a request that has a body.
 *
 * A route may have options of its own, in `config: { contexts: { onDisconnect: "continue" } }`. They
 * replace those of the plugin, one by one.
 *
 * Calls `done` with a TypeError or RangeError for a wrong or unknown option. A route with a wrong
 * option throws when it is added.
 *
 * @example
 * await app.register(contexts, { timeout: 30_000 });
 * app.get("/", async (request) => (await db.query(request.ctx, "select 1")).rows);
 */
export function contexts(
  fastify: FastifyLike,
  options: RequestContextOptions & CurrentOption & DisconnectOption,
  done: (error?: Error) => void,
): void {
  try {
    checkContextsOptions(options, "register(contexts, options)", FASTIFYS_OWN);
  } catch (error) {
    done(error as Error); // if it were thrown, Fastify would crash
    return;
  }
  fastify.decorateRequest("ctx", {
    getter(this: Request) {
      const ctx = this[HELD];
      if (ctx !== undefined) return ctx;
      throw new TypeError(
        "request.ctx is there from onRequest on, for hooks that are added later; call app.register(contexts) before the hooks and routes that use it",
      );
    },
    setter(this: Request, ctx) {
      this[HELD] = ctx;
    },
  });
  const optionsOf = routeOptions(options);
  fastify.addHook("onRoute", optionsOf); // refuses wrong options when the application is built
  fastify.addHook("onRequest", (request: Request, reply: Reply, next: (error?: Error) => void) => {
    if (reply.raw.isLightMyRequest) finishOnceEnded(reply.raw);
    const own = optionsOf(request.routeOptions);
    const late = (end: RequestEndedError): void => {
      if (!reply.sent && !request[FAILING]) takeOverReply(reply).send(end);
    };
    const { ctx, responded } = openRequest(request.raw, reply.raw, own, late);
    request[HELD] = ctx;
    if (ctx.err() === undefined) {
      callNext(request.raw, reply.raw, own, () => request[HELD] ?? ctx, next, responded);
    } else {
      const end = requestEndedError(ctx);
      if (isGone(end, reply.raw)) reply.hijack();
      else next(end);
    }
  });
  fastify.addHook("onError", (request: Request, reply: Reply, error: Error, next: () => void) => {
    request[FAILING] = true;
    const ctx = request[HELD];
    const end = ctx && asRequestEndedError(request.raw, ctx, error);
    if (end !== undefined && isGone(end, reply.raw)) {
      // No client can receive what an error handler would send, and Fastify's own would log it.
      reply.hijack();
      reply.send = () => reply; // it would throw, because this hook does not end
      return;
    }
    const sendable = sendableError(error, true);
    if (sendable !== error) {
      // Error handlers and loggers would throw when they read it, and no hook can replace it.
      if (end === undefined) reply.log.error(sendable);
      reply.hijack();
      respond(reply.raw, end?.status ?? 500, error);
      return;
    }
    if (end !== undefined && !reply.raw.headersSent) {
      replaceReplyHeaders(reply);
      reply.code(end.status);
      for (const [name, value] of Object.entries(end.headers)) reply.header(name, value);
    }
    next();
  });
  done();
}

/**
 * Returns a function that returns the options for a route: those in its `config.contexts`, and those
 * of the plugin.
 */
function routeOptions(options: Options): (route: Route) => Options {
  const known = new WeakMap<object, Options>();
  return ({ config }) => {
    const own = config?.contexts;
    if (own === undefined) return options;
    let all = known.get(own);
    if (all === undefined) {
      checkContextsOptions(own, "config.contexts of a route");
      known.set(own, (all = { ...options, ...own }));
    }
    return all;
  };
}

/**
 * `inject` closes its response before the response has finished. There is no connection that could
 * break.
 */
function finishOnceEnded(res: WritableResponseLike): void {
  Object.defineProperty(res, "writableFinished", { get: () => res.writableEnded });
}

// These are the properties that the package fastify-plugin adds: no encapsulation, a name, the
// versions.
Object.assign(contexts, {
  [Symbol.for("skip-override")]: true,
  [Symbol.for("fastify.display-name")]: "eightysix",
  [Symbol.for("plugin-meta")]: { name: "eightysix", fastify: ">=5" },
});
