/** The answer to a request whose context is done before its handler has begun to answer. */
import { afterFunc, type Context } from "../index.ts";
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
  const isAnswered = (): boolean => res.headersSent || res.destroyed;
  if (isAnswered()) return;
  tracked.stop = afterFunc(ctx, () => {
    if (isAnswered()) return;
    setImmediate(() => {
      if (!isAnswered()) answer();
    });
  });
}
