/**
 * The public types of the adapter. Those of `ioredis` 5 and 6 are described structurally, because
 * only the users of this entry point have the package installed. Nothing here names Node's types,
 * which the users need not have either.
 */
import type { Context } from "../index.ts";
import type { NotCommand } from "./not-commands.ts";
import type { CtxFirst } from "./overloads.ts";

type AnyFunction = (...args: never) => unknown;

/** A `Redis` of ioredis, not a `Cluster`. */
export interface ClientLike {
  readonly status: string;
  call: AnyFunction;
  duplicate: AnyFunction;
  sendCommand: AnyFunction;
  scanStream: AnyFunction;
}

/** What `pipeline()` and `multi()` return, with its commands. */
export interface PipelineLike {
  readonly length: number;
  exec: AnyFunction;
}

type Streams = `${string}Stream`;

/** The driver's commands with the driver's own types, a context first, and no callbacks. */
export type ContextCommands<C> = {
  [K in Exclude<keyof C, NotCommand | Streams>]: C[K] extends AnyFunction ? CtxFirst<C[K]> : never;
};

type Args<F> = F extends (...args: infer A) => unknown ? A : never;
type Answer<F> = F extends (...args: never) => infer R ? R : never;

/** The driver's scan streams, with a context first. */
export type ScanStreams<C> = {
  [K in Extract<keyof C, Streams>]: (ctx: Context, ...args: Args<C[K]>) => Answer<C[K]>;
};

/** What `exec` resolves with: for each command a pair of error and result, or null. */
export type Replies<P extends PipelineLike> = Awaited<Answer<P["exec"]>>;

/** What `withContext` returns: the client's commands, each with a context first. */
export type ContextClient<C extends ClientLike> = ContextCommands<C> &
  ScanStreams<C> &
  ContextMethods;

export interface ContextMethods {
  /**
   * Executes a transaction or pipeline that was built with the client's own `multi()` or
   * `pipeline()`.
   *
   * It enters the client's queue only once the client is ready. If `ctx` ends before that, nothing is
   * sent. From then on it cannot be withdrawn, and its answer is awaited for up to the stop timeout.
   *
   * @example
   * await db.exec(ctx, client.multi().incr("hits").expire("hits", 60));
   */
  exec<P extends PipelineLike>(ctx: Context, pipeline: P): Promise<Replies<P>>;
  /**
   * Closes the connections for blocking commands at once. First end the contexts of the commands that
   * still run: an element that the server has just popped is lost with its connection.
   *
   * The caller keeps the client and closes it. When it ends, the connections for blocking commands
   * close too, and this call is not needed.
   */
  close(): void;
}
