/**
 * Stopping an engine that runs inside this process and whose only means is an `interrupt()` that
 * hits whatever its handle is doing. Two things make that safe:
 *
 * - A handle does one operation at a time, and nothing is interrupted from the moment the driver's
 *   promise has settled. `interrupt()` is synchronous, so no interrupt can be on its way then.
 * - An interrupt that comes before the engine has begun is lost: it is repeated.
 */
import { throwIfDone, type Context } from "../../index.ts";
import type { Places } from "../places.ts";
import { runStoppable } from "../stoppable.ts";

export interface Interruptible<H, T> {
  readonly kind: string;
  readonly what: string;
  /** Whose turn it must be: one place per handle. */
  readonly places: Places;
  /** What `use` works with. Never interrupted, so it must be short. */
  open(): H | PromiseLike<H>;
  use(handle: H): PromiseLike<T>;
  /** Hits whatever `use` is doing, if it is doing anything. */
  interrupt(handle: H): void;
  isInterrupt(error: unknown): boolean;
  /** After `use`, before the next one's turn; `hit` if it was stopped. Never interrupted. */
  release(handle: H, hit: boolean): void | PromiseLike<void>;
}

/** Between two interrupts, in milliseconds: while stopping is fresh, and when it has been given up. */
const EVERY = 3;
const SELDOM = 100;

/**
 * Waits for its turn, then does `use(open())` until it settles or `ctx` is done *and* it has been
 * stopped; see `runStoppable`.
 *
 * An operation that ignores its interrupts cannot be destroyed, short of ending the process. After
 * the stop timeout its caller is told `ctx.err()` and its work is "abandoned"; its place stays taken, and the
 * interrupts go on, until the engine lets go. So nobody is ever hit in its stead.
 */
export async function runInterruptible<H, T>(
  ctx: Context,
  operation: Interruptible<H, T>,
): Promise<T> {
  const { kind, what, places } = operation;
  await places.take(ctx);
  let used: { handle: H } | undefined;
  let stopping = false;
  let over: Promise<unknown> = Promise.resolve();
  let timer: ReturnType<typeof setInterval> | undefined;

  const run = async (): Promise<T> => {
    const handle = await operation.open();
    let hit = false;
    try {
      throwIfDone(ctx);
      used = { handle };
      return await operation.use(handle);
    } catch (error) {
      hit = stopping && operation.isInterrupt(error);
      throw error;
    } finally {
      used = undefined;
      await operation.release(handle, hit);
    }
  };
  const interrupt = (): void => {
    try {
      if (used !== undefined) operation.interrupt(used.handle);
    } catch {
      // A handle that was closed meanwhile: the operation itself will say so.
    }
  };

  try {
    return await runStoppable(ctx, {
      kind,
      what,
      start() {
        const running = run();
        over = running.catch(() => undefined);
        return running;
      },
      async stop() {
        stopping = true;
        interrupt();
        timer = setInterval(interrupt, EVERY);
        await over;
        clearInterval(timer);
      },
      isStop: (error) => operation.isInterrupt(error),
      destroy() {
        clearInterval(timer);
        timer = setInterval(interrupt, SELDOM).unref();
      },
    });
  } finally {
    void over.then(() => places.give());
  }
}
