/**
 * The continuing context of a request, which ignores the client's disconnect: the context of handlers
 * with `onDisconnect: "continue"`, and the current context of methods that are not safe. Runs on every
 * platform.
 *
 * Middleware has no promise that settles when the handler's work is done. So the context ends as
 * finished when all of these conditions hold:
 *
 * - the request has ended: its response is finished, or its client has disconnected;
 * - the handler has responded (see `responded`);
 * - the request's ledger holds no work, so that this end cuts nothing.
 *
 * A handler may go on after that. An example is a handler that responds with 202 and then starts
 * its work. Work that it starts from then on has the request's values, and never ends with the
 * request, as if no current context were set.
 *
 * A handler may also give up without a response when its client has left. Then the context ends when
 * it has been garbage collected: nothing can respond, or run under the context, from then on.
 */
import {
  afterFunc,
  merge,
  stopped,
  withCancel,
  withoutCancel,
  working,
  type CancelableContext,
  type Context,
} from "../../index.ts";
import { RequestFinished } from "./causes.ts";
import { currentState, setCurrentState, type Continuing } from "./current-option.ts";
import type { DisconnectOption } from "./disconnect-option.ts";

export interface ContinuingRequestOptions {
  /** The request's own context. */
  readonly own: Context;
  /** The contexts that end the request beside its limits: `parent` and the shutdown. */
  readonly parents: readonly (Context | undefined)[];
  /** Returns `ctx`, or a child of it that ends with the request's limits. */
  readonly limit: (ctx: Context) => Context;
  /** Makes `serve` wait until the function that it returns is called. */
  readonly continues?: (() => () => void) | undefined;
}

// One instance serves all requests: it has no stack and holds no data of a request.
const requestFinished = new RequestFinished();

/** The continuing context of one request, and its end. */
export class ContinuingRequest implements Continuing {
  readonly ctx: Context;
  isFinished = false;
  readonly ledgers: Set<Context>;
  readonly #scope: CancelableContext;
  #hasEnded = false;
  #hasResponded = false;

  constructor({ own, parents, limit, continues }: ContinuingRequestOptions) {
    const above = parents.filter((ctx) => ctx !== undefined);
    this.#scope = merge(withoutCancel(own), ...above);
    // Not `#scope` itself, which `collected` holds.
    // eslint-disable-next-line eightysix/no-lost-cancel -- it ends with `#scope`
    this.ctx = limit(withCancel(this.#scope));
    this.ledgers = new Set([own]);
    afterFunc(own, () => {
      this.#hasEnded = true;
      const release = continues?.();
      if (release) releaseAtEnd(this.ctx, this.ledgers, release);
      collected?.register(this.ctx, { scope: this.#scope, release });
      this.#end();
    });
  }

  /**
   * Records that the handler has ended the response, or has given it up. May be called repeatedly.
   */
  responded(): void {
    if (this.#hasResponded) return;
    this.#hasResponded = true;
    this.#end();
  }

  #end(): void {
    if (!this.#hasEnded || !this.#hasResponded) return;
    void whenIdle(this.ledgers, () => {
      this.isFinished = this.ctx.err() === undefined;
      this.#scope.cancel(requestFinished);
    });
  }
}

/** The continuing context of handlers. */
export interface ContinuingHandlers {
  readonly ctx: Context;
  /** Set if the context was created by this call. Its creator calls `responded`. */
  readonly created: ContinuingRequest | undefined;
}

/**
 * Returns the continuing context for the handlers behind one `contexts()`, or `undefined` if they
 * end with their client. The innermost `onDisconnect` counts.
 */
export function continueHandlers(
  request: object,
  { onDisconnect }: DisconnectOption,
  optionsOf: () => ContinuingRequestOptions,
): ContinuingHandlers | undefined {
  const before = currentState(request);
  const asBefore = before?.handlersContinue ?? false;
  if (onDisconnect === undefined ? !asBefore : onDisconnect === "cancel") {
    if (before !== undefined && asBefore)
      setCurrentState(request, { ...before, handlersContinue: false, bounded: undefined });
    return undefined;
  }
  const options = optionsOf();
  let continuing = before?.continuing;
  let created: ContinuingRequest | undefined;
  if (continuing === undefined) continuing = created = new ContinuingRequest(options);
  else continuing.ledgers.add(options.own);
  const ctx = created?.ctx ?? options.limit(continuing.ctx);
  const mode = before?.mode ?? false;
  setCurrentState(request, { mode, handlersContinue: true, continuing, bounded: ctx });
  return { ctx, created };
}

/** Returns a context that ends with `ctx` and has the values of `seen`, which may be missing. */
export function withValuesOf(seen: Context | undefined, ctx: Context): Context {
  return seen === undefined || seen === ctx ? ctx : merge(withoutCancel(seen), ctx);
}

/** Calls `then` at a moment at which no ledger holds work. */
async function whenIdle(ledgers: ReadonlySet<Context>, then: () => void): Promise<void> {
  do {
    await Promise.all([...ledgers].map((ctx) => stopped(ctx)));
    // Between two steps of a handler the ledgers are empty for some microtasks.
    await new Promise((resolve) => setTimeout(resolve));
  } while ([...ledgers].some((ctx) => working(ctx).length > 0));
  then();
}

/**
 * Calls `release` when `ctx` and the work under it have ended. Keeps none of its parameters but
 * `release` alive: a context that nothing refers to can be collected.
 */
function releaseAtEnd(ctx: Context, ledgers: ReadonlySet<Context>, release: () => void): void {
  const weak = new WeakRef(ledgers);
  afterFunc(ctx, () => void whenIdle(weak.deref() ?? new Set(), release));
}

/** Ends the continuing contexts of handlers that have given up without a response. */
const collected =
  typeof FinalizationRegistry === "undefined"
    ? undefined
    : new FinalizationRegistry<{ scope: CancelableContext; release: (() => void) | undefined }>(
        ({ scope, release }) => {
          scope.cancel(requestFinished);
          release?.();
        },
      );
