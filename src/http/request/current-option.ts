/** The option `current` of `contexts()` and `middleware()`. Runs on every platform. */
import type { Context } from "../../index.ts";
import { show } from "../../internal.ts";

export interface CurrentOption {
  /**
   * Whether the rest of the request runs under a current context (see eightysix/current), so that
   * code that is handed no context, such as an ORM on a `contextPool`, stops with the request.
   *
   * - `true`: for GET, HEAD and OPTIONS the current context is the request's context. For all other
   *   methods the current context ignores the client's disconnect, so that an existing POST does
   *   not stop between two steps. It still ends with `timeout`, `deadline`, `parent` and the
   *   shutdown, and `serve` waits for it.
   * - `"all"`: for every method the current context is the request's context.
   * - `false`: no current context is set.
   *
   * Default: the value of an outer `contexts()` of the same request, or `false` if there is none.
   */
  current?: boolean | "all";
}

/** Throws a TypeError unless `current` is one of its choices. */
export function checkCurrent(current: unknown): void {
  if (current === undefined || typeof current === "boolean" || current === "all") return;
  throw new TypeError(
    `current takes true, "all" or false, got ${show(current)}; pass true if only GET, HEAD and OPTIONS may stop with their client, "all" if every method may`,
  );
}

/** A context of a request that ignores the client's disconnect. */
export interface Continuing {
  readonly ctx: Context;
  /** Whether it has ended as finished: the request is done, and so is all work under it. */
  readonly isFinished: boolean;
  /** Contexts whose ledgers hold the work under it. */
  readonly ledgers: Set<Context>;
}

/** What a request remembers of the innermost `current` and `onDisconnect` that it has passed. */
export interface CurrentState {
  readonly mode: boolean | "all";
  /** Whether handlers get a continuing context. */
  readonly handlersContinue: boolean;
  /** The continuing context of the request, if it has one. */
  readonly continuing: Continuing | undefined;
  /**
   * The continuing context with the limits of the innermost `contexts()`. `undefined` if everything
   * ends with the client.
   */
  readonly bounded: Context | undefined;
}

const STATE = Symbol("eightysix.http.current");
type Holder = { [STATE]?: CurrentState };

export function currentState(request: object): CurrentState | undefined {
  return (request as Holder)[STATE];
}

/**
 * Returns the context under which the handler goes on without its client, or `undefined` if it has
 * none.
 */
export function continuingContext(request: object): Context | undefined {
  return currentState(request)?.bounded;
}

export function setCurrentState(request: object, state: CurrentState): void {
  (request as Holder)[STATE] = state;
}

/** Returns the value of `current` that counts for this request. */
export function currentMode(request: object, { current }: CurrentOption): CurrentState["mode"] {
  return current ?? currentState(request)?.mode ?? false;
}

const OUTERMOST = Symbol("eightysix.http.outermost");

/** Returns the options of the first `contexts()` that this request has passed. */
export function outermostOptions<Options>(request: object, options: Options): Options {
  const holder = request as { [OUTERMOST]?: Options };
  return (holder[OUTERMOST] ??= options);
}
