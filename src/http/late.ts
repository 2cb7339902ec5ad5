/** The answer to a request whose context is done before its handler has begun to answer. */
import { Ending } from "../core/ending.ts";
import type { Context } from "../index.ts";
import type { AnswerLike } from "./answer.ts";
import type { Tracked } from "./request.ts";

/**
 * Has `answer` called when `ctx` is done, nothing was sent and somebody can still hear it: one turn
 * of the event loop later, so that a handler that stops at once can answer by itself. Best called
 * once the handler has run to its first pause: whoever has begun to answer by then needs no timer.
 */
export function answerLate(
  tracked: Tracked,
  ctx: Context,
  res: AnswerLike,
  answer: () => void,
): void {
  if (!isAnswered(res)) tracked.late = new LateAnswer(ctx, res, answer);
}

const isAnswered = (res: AnswerLike): boolean => res.headersSent || res.destroyed;

export class LateAnswer extends Ending {
  readonly #res: AnswerLike;
  readonly #answer: () => void;

  constructor(ctx: Context, res: AnswerLike, answer: () => void) {
    super();
    this.#res = res;
    this.#answer = answer;
    this.await(ctx);
  }

  run(): void {
    if (isAnswered(this.#res)) return;
    setImmediate(() => {
      if (!isAnswered(this.#res)) this.#answer();
    });
  }

  /** The answer is out. */
  forget(): void {
    this.leave();
  }
}
