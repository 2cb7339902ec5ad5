/**
 * The public face of `ioredis` 5 and 6, in structural types of our own: it is a peer that only its
 * users have. Nothing here names Node's types, which they need not have either.
 */
import type { Context } from "../index.ts";
import type { NotCommand } from "./not-commands.ts";
import type { CtxFirst } from "./overloads.ts";

type AnyFunction = (...args: never) => unknown;

/** A `Redis` of ioredis; not a `Cluster`. */
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

/** The driver's commands, as it types them, with a context first and without callbacks. */
export type ContextCommands<C> = {
  [K in Exclude<keyof C, NotCommand | Streams>]: C[K] extends AnyFunction ? CtxFirst<C[K]> : never;
};

type Args<F> = F extends (...args: infer A) => unknown ? A : never;
type Answer<F> = F extends (...args: never) => infer R ? R : never;

/** The driver's scan streams, with a context first. */
export type ScanStreams<C> = {
  [K in Extract<keyof C, Streams>]: (ctx: Context, ...args: Args<C[K]>) => Answer<C[K]>;
};

/** What `exec` resolves with: a pair of error and result for each command, or null. */
export type Replies<P extends PipelineLike> = Awaited<Answer<P["exec"]>>;
