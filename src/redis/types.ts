/**
 * The public types of the adapter. Those of `redis` 6 are described structurally, because only the
 * users of this entry point have the package installed. Nothing here names Node's types, which the
 * users need not have either.
 */
import type { Context } from "../index.ts";
import type { NotCommand } from "./not-commands.ts";

type AnyFunction = (...args: never) => unknown;

/** A client that `createClient` has returned. Its owner connects it. */
export interface ClientLike {
  readonly isOpen: boolean;
  readonly isReady: boolean;
  connect: AnyFunction;
  destroy: AnyFunction;
  duplicate: AnyFunction;
  sendCommand: AnyFunction;
  withAbortSignal: AnyFunction;
}

/** A transaction or pipeline: what `client.multi()` returns, with its commands. */
export interface MultiLike {
  exec: AnyFunction;
  execTyped: AnyFunction;
  execAsPipeline: AnyFunction;
  execAsPipelineTyped: AnyFunction;
}

type CtxFirst<M> = M extends (...args: infer A) => infer R
  ? (ctx: Context, ...args: A) => R
  : M extends object
    ? { [K in keyof M]: CtxFirst<M[K]> }
    : never;

/** The driver's commands, scan iterators and modules with the driver's own types, and a context first. */
export type ContextCommands<C> = {
  [K in Exclude<keyof C, NotCommand | `_${string}`>]: CtxFirst<C[K]>;
};

type Args<F> = F extends (...args: infer A) => unknown ? A : never;
type Answer<F> = F extends (...args: never) => infer R ? Awaited<R> : never;

/** What `sendCommand` takes after the context. */
export type RawArguments<C extends ClientLike> = Args<C["sendCommand"]>;
/** What `sendCommand` resolves with by default. */
export type RawReply<C extends ClientLike> = Answer<C["sendCommand"]>;
/** The replies of a transaction or pipeline, one for each command. */
export type Replies<M extends MultiLike> = Answer<M["execTyped"]>;

/** What `withContext` returns: the client's commands, each with a context first. */
export type ContextClient<C extends ClientLike> = ContextCommands<C> & ContextMethods<C>;

export interface ContextMethods<C extends ClientLike> {
  /** Runs the driver's own `sendCommand`: any command, as it goes to the server. */
  sendCommand<T = RawReply<C>>(ctx: Context, ...args: RawArguments<C>): Promise<T>;
  /**
   * Executes a transaction that was built with the client's own `multi()`.
   *
   * The transaction enters the client's queue only once the client is ready. If `ctx` ends before
   * that, nothing is sent. From then on the transaction cannot be withdrawn, and its answer is
   * awaited for up to the stop timeout.
   *
   * @example
   * await db.exec(ctx, client.multi().incr("hits").expire("hits", 60));
   */
  exec<M extends MultiLike>(ctx: Context, multi: M): Promise<Replies<M>>;
  /** The same as `exec`, without a transaction around the commands. */
  execAsPipeline<M extends MultiLike>(ctx: Context, multi: M): Promise<Replies<M>>;
  /**
   * Closes the connections for blocking commands at once. First end the contexts of the commands that
   * still run: an element that the server has just popped is lost with its connection.
   *
   * The caller keeps the client and closes it. When it closes, the connections for blocking commands
   * close too, and this call is not needed.
   */
  close(): void;
}
