/**
 * The current context of a request, for the option `current`. Runs on every platform that has
 * `node:async_hooks`.
 *
 * If the method is not safe, the current context is a continuing context (see
 * continuing-request.ts), also if the context of the handlers ends with the client.
 */
import { currentFrame, runInFrame, type Frame } from "../../current/current-context.ts";
import { merge, withoutCancel, type Context } from "../../index.ts";
import { statusOf } from "../respond/status.ts";
import { ContinuingRequest, type ContinuingRequestOptions } from "./continuing-request.ts";
import { currentState, setCurrentState, type Continuing } from "./current-option.ts";

export interface CurrentRequestOptions extends ContinuingRequestOptions {
  readonly mode: true | "all";
  readonly method: string | undefined;
  /** Returns the context that handlers see, which middleware may have replaced. */
  readonly read: () => Context;
}

const SAFE: ReadonlySet<string | undefined> = new Set(["GET", "HEAD", "OPTIONS"]);

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
  /** `undefined` if the context that handlers see is the current one. */
  readonly #continuing: Continuing | undefined;
  /** The continuing context, with the limits of this `contexts()`. */
  readonly #bounded: Context | undefined;
  /** The current context while handlers see `#from`. */
  #made: Context | undefined;
  #from: Context | undefined;
  #isFinished = false;

  constructor(request: object, options: CurrentRequestOptions) {
    const { mode, read } = options;
    this.#read = read;
    const before = currentState(request);
    const handlersContinue = before?.handlersContinue ?? false;
    if (mode !== "all" && !SAFE.has(options.method)) {
      this.#continuing = before?.continuing ?? (this.created = new ContinuingRequest(options));
      if (this.created) this.#bounded = this.created.ctx;
      else if (handlersContinue) this.#bounded = before?.bounded;
      else this.#bounded = options.limit(this.#continuing.ctx);
      if (this.created) this.#first = read();
    }
    setCurrentState(request, {
      ...{ mode, handlersContinue },
      continuing: this.#continuing ?? before?.continuing,
      bounded: this.#bounded ?? (handlersContinue ? before?.bounded : undefined),
    });
  }

  get ctx(): Context {
    const seen = this.#read();
    const [continuing, bounded] = [this.#continuing, this.#bounded];
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
