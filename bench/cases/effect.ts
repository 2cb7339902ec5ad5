/** Measures Effect: forking a fiber that never ends, and interrupting it. */
import { Effect, Exit, type Fiber } from "effect";
import { bytesLive } from "../measure/bytes.ts";
import { perOp } from "../measure/per-op.ts";
import type { Cases } from "./index.ts";

const MS = 60_000;
const timed = Effect.timeout(Effect.never, MS);

const interrupted = <A, E>(fiber: Fiber.Fiber<A, E>): boolean => {
  const exit = fiber.pollUnsafe();
  return exit !== undefined && Exit.hasInterrupts(exit);
};

const forkAndInterrupt = <A, E>(effect: Effect.Effect<A, E>) =>
  perOp(() => {
    const fiber = Effect.runFork(effect);
    fiber.interruptUnsafe();
    return fiber;
  }, interrupted);

export const cases: Cases = {
  derive: async () => ({ value: await forkAndInterrupt(Effect.never) }),
  timeout: async () => ({ value: await forkAndInterrupt(timed) }),
  bytes: async () => ({ value: await bytesLive(() => Effect.runFork(Effect.never)) }),
};
