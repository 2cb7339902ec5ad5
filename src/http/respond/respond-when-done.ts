/** The answer to a request whose context is done before its handler has begun to answer. */
import { DoneListener } from "../../internal.ts";
import type { Context } from "../../index.ts";
import type { AnswerLike } from "./respond.ts";
import type { TrackedRequest } from "../request/request-context.ts";

/**
 * Has `answer` called when `ctx` is done, nothing was sent and somebody can still hear it: one turn
 * of the event loop later, so that a handler that stops at once can answer by itself. Best called
 * once the handler has run to its first pause: whoever has begun to answer by then needs no timer.
 */
export function respondWhenDone(
  tracked: TrackedRequest,
  ctx: Context,
  res: AnswerLike,
  answer: () => void,
): void {
  if (!isAnswered(res)) tracked.late = new DoneResponse(ctx, res, answer);
}

const isAnswered = (res: AnswerLike): boolean => res.headersSent || res.destroyed;

export class DoneResponse extends DoneListener {
  readonly #res: AnswerLike;
  readonly #answer: () => void;

  constructor(ctx: Context, res: AnswerLike, answer: () => void) {
    super();
    this.#res = res;
    this.#answer = answer;
    this.register(ctx);
  }

  onDone(): void {
    if (isAnswered(this.#res)) return;
    setImmediate(() => {
      if (!isAnswered(this.#res)) this.#answer();
    });
  }

  /** The answer is out. */
  forget(): void {
    this.unregister();
  }
}
