/**
 * The current context of a request, for the option `current`. Runs on every platform that has
 * `node:async_hooks`.
 *
 * If the method is not safe, the current context is a continuing context, which ignores the
 * client's disconnect. Middleware has no promise that settles when the handler's work is done. So
 * the continuing context ends as finished when all of these conditions hold:
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
import { currentFrame, runInFrame, type Frame } from "../../current/current-context.ts";
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
import { statusOf } from "../respond/status.ts";
import { RequestFinished } from "./causes.ts";
import {
  currentState,
  setCurrentState,
  type Continuing,
  type CurrentState,
} from "./current-option.ts";

export interface CurrentRequestOptions {
  readonly mode: CurrentState["mode"];
  readonly method: string | undefined;
  /** The request's own context. */
  readonly own: Context;
  /** Returns the context that handlers see, which middleware may have replaced. */
  readonly read: () => Context;
  /** The contexts that end the request beside its limits: `parent` and the shutdown. */
  readonly parents: readonly (Context | undefined)[];
  /** Returns `ctx`, or a child of it that ends with the request's limits. */
  readonly limit: (ctx: Context) => Context;
  /** Makes `serve` wait until the function that it returns is called. */
  readonly continues?: (() => () => void) | undefined;
}

const SAFE: ReadonlySet<string | undefined> = new Set(["GET", "HEAD", "OPTIONS"]);

// One instance serves all requests: it has no stack and holds no data of a request.
const requestFinished = new RequestFinished();

/**
 * The current context behind one `contexts()`: its `ctx` follows the context that handlers see. A
 * request that passes several `contexts()` has one of these for each, and the innermost counts.
 */
export class CurrentRequest implements Frame {
  readonly outer = currentFrame();
  /** The continuing context, if this object has created it. Its creator calls `responded`. */
  readonly created: ContinuingRequest | undefined;
  /** The context that handlers saw first, if the continuing context has its values. */
  readonly #first: Context | undefined;
  readonly #read: () => Context;
  readonly #state: CurrentState;
  /** The current context while handlers see `#from`. */
  #made: Context | undefined;
  #from: Context | undefined;
  #isFinished = false;

  constructor(request: object, options: CurrentRequestOptions) {
    const { mode, read } = options;
    this.#read = read;
    let continuing: Continuing | undefined;
    let bounded: Context | undefined;
    if (mode !== "all" && !SAFE.has(options.method)) {
      continuing = currentState(request)?.continuing;
      if (continuing !== undefined) bounded = options.limit(continuing.ctx);
      else {
        continuing = this.created = new ContinuingRequest(options);
        bounded = continuing.ctx;
        this.#first = read();
      }
    }
    this.#state = { mode, continuing, bounded };
    setCurrentState(request, this.#state);
  }

  get ctx(): Context {
    const seen = this.#read();
    const { continuing, bounded } = this.#state;
    if (continuing === undefined || bounded === undefined) return seen;
    const isFinished = continuing.isFinished && statusOf(bounded) === 200;
    if (seen === this.#first && !isFinished) return bounded;
    if (this.#made === undefined || this.#from !== seen || this.#isFinished !== isFinished) {
      continuing.ledgers.add(seen);
      const values = withoutCancel(seen);
      this.#made = isFinished ? values : merge(values, bounded);
      this.#from = seen;
      this.#isFinished = isFinished;
    }
    return this.#made;
  }

  /** Calls `next` under this current context. */
  run<T>(next: () => T): T {
    return runInFrame(this, next);
  }

  /** Works like `run`, for a `next` whose promise settles when the handler has responded. */
  runUntilSettled<T>(next: () => Promise<T>): Promise<T> {
    const work = runInFrame(this, next);
    const responded = (): void => this.created?.responded();
    if (this.created !== undefined) work.then(responded, responded);
    return work;
  }
}

/** The continuing context of one request, and its end. */
export class ContinuingRequest implements Continuing {
  readonly ctx: Context;
  isFinished = false;
  readonly ledgers: Set<Context>;
  readonly #scope: CancelableContext;
  #hasEnded = false;
  #hasResponded = false;

  constructor({ own, parents, limit, continues }: CurrentRequestOptions) {
    const above = parents.filter((ctx) => ctx !== undefined);
    this.#scope = merge(withoutCancel(own), ...above);
    this.ctx = limit(withCancel(this.#scope)); // not `#scope` itself, which `collected` holds
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
