/** Effect: a fiber that waits for ever, forked and interrupted. */
import { Effect, Exit, FiberId, type Fiber } from "effect";
import { bytesLive } from "../measure/bytes.ts";
import { perOp } from "../measure/per-op.ts";
import type { Cases } from "./index.ts";

const timed = Effect.timeout(Effect.never, 60_000);

const interrupted = <A, E>(fiber: Fiber.RuntimeFiber<A, E>): boolean => {
  const exit = fiber.unsafePoll();
  return exit !== null && Exit.isInterrupted(exit);
};

const forkAndInterrupt = <A, E>(effect: Effect.Effect<A, E>) =>
  perOp(() => {
    const fiber = Effect.runFork(effect);
    fiber.unsafeInterruptAsFork(FiberId.none);
    return fiber;
  }, interrupted);

export const cases: Cases = {
  derive: async () => ({ value: await forkAndInterrupt(Effect.never) }),
  timeout: async () => ({ value: await forkAndInterrupt(timed) }),
  bytes: async () => ({ value: await bytesLive(() => Effect.runFork(Effect.never)) }),
};
