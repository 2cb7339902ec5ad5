/** The check of the first argument of every function, and what its message advises. */
import type { Context } from "./context.ts";
import { Handle } from "./handle.ts";
import { show } from "./show.ts";

/** Throws a TypeError unless `ctx` has the four members of a context. Does not read its signal. */
export function checkContext(ctx: unknown, caller: string): asserts ctx is Context {
  if (ctx instanceof Handle || isContext(ctx)) return;
  if (ctx === undefined || ctx === null) {
    throw new TypeError(
      `cannot create context from nil parent: ${caller} got ${String(ctx)} where a Context is needed; ${contextHint(ctx)}`,
    );
  }
  throw new TypeError(
    `${caller} needs a Context as its first argument, got ${show(ctx)}; ${contextHint(ctx)}`,
  );
}

/**
 * Returns what to pass in place of `x`, which is not a context, as the last clause of a message.
 */
export function contextHint(x: unknown): string {
  const has = (...names: string[]): boolean =>
    typeof x === "object" && x !== null && names.every((name) => name in x);
  // A node:http request has `aborted` as well, and Koa's context has `headers`: the order matters.
  if (has("aborted", "addEventListener")) {
    return "for a signal, use withSignal(background(), signal)";
  }
  if (has("signal", "abort")) {
    return "for an AbortController, use withSignal(background(), controller.signal)";
  }
  if (has("req", "var")) return "for a Hono context, pass c.var.ctx";
  if (has("req", "response")) return "for a Koa context, pass ctx.context";
  if (has("headers", "raw")) return "for a Fastify request, pass request.ctx";
  if (has("headers", "socket")) {
    return 'for a request, pass req.ctx, or requestContext(req) from "eightysix/http"';
  }
  if (has("headers", "signal")) {
    return 'for a Request, use handler((ctx, request) => …) from "eightysix/web"';
  }
  if (x === undefined) {
    return "pass the caller's ctx, or background() at the top of a program; if it comes from a request, register contexts() before the routes";
  }
  return "pass the caller's ctx, or background() at the top of a program";
}

function isContext(x: unknown): x is Context {
  if (typeof x !== "object" || x === null || !("signal" in x)) return false;
  const { err, deadline, value } = x as Partial<Context>;
  return typeof err === "function" && typeof deadline === "function" && typeof value === "function";
}
