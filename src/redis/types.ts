/**
 * The public face of `redis` 6, in structural types of our own: it is a peer that only its
 * users have. Nothing here names Node's types, which they need not have either.
 */
import type { Context } from "../index.ts";
import type { NotCommand } from "./not-commands.ts";

type AnyFunction = (...args: never) => unknown;

/** A client of `createClient`, connected by its owner. */
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

/** The driver's commands, scan iterators and modules, as it types them, with a context first. */
export type ContextCommands<C> = {
  [K in Exclude<keyof C, NotCommand | `_${string}`>]: CtxFirst<C[K]>;
};

type Args<F> = F extends (...args: infer A) => unknown ? A : never;
type Answer<F> = F extends (...args: never) => infer R ? Awaited<R> : never;

/** What `sendCommand` takes after the context. */
export type RawArguments<C extends ClientLike> = Args<C["sendCommand"]>;
/** What `sendCommand` resolves with when nobody says more. */
export type RawReply<C extends ClientLike> = Answer<C["sendCommand"]>;
/** The replies of a transaction or pipeline, one for each command. */
export type Replies<M extends MultiLike> = Answer<M["execTyped"]>;
