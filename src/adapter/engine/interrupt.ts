/**
 * How an operation of an engine inside this process is stopped. Such an engine has only an
 * `interrupt()`, which hits whatever its connection is doing at that moment. Two rules make it safe:
 *
 * - A connection runs one operation at a time, and is not interrupted after the driver's promise has
 *   settled. `interrupt()` is synchronous, so no interrupt can be on its way by then.
 * - An engine ignores an interrupt that comes before the operation has begun. The interrupt is
 *   therefore repeated until the operation ends.
 */
import { throwIfDone, type Context, type Semaphore } from "../../index.ts";
import { runStoppable } from "../stoppable.ts";
import { takePlace } from "../take-place.ts";

/**
 * What an engine's adapter says about one operation. `R` is the resource that the operation uses,
 * such as a connection or a prepared statement. `open`, `use` and `release` are called at most once.
 */
export interface InterruptibleOperation<R, T> {
  /** The kind of work for the ledger, such as "duckdb.query". */
  readonly kind: string;
  /** The description of the work for the ledger: the SQL text. */
  readonly what: string;
  /** Where the operation waits for its turn. Operations on one connection share a single place. */
  readonly places: Semaphore;
  /**
   * Returns the resource when it is the operation's turn. It is never interrupted. If `ctx` ends
   * before it has returned, the caller gets `ctx.err()` at once, because the engine has not begun the
   * operation. The place stays taken until `open` has returned. If `open` fails, neither `use` nor
   * `release` is called.
   */
  open(ctx: Context): R | PromiseLike<R>;
  /** Runs the operation. Not called if the context has ended by then. */
  use(resource: R): PromiseLike<T>;
  /**
   * Interrupts whatever the engine does with the resource. Called repeatedly, only while `use` runs.
   * If it throws, the error is ignored.
   */
  interrupt(resource: R): void;
  /** Returns whether this error of `use` is the effect of an interrupt. Must not throw. */
  isInterrupt(error: unknown): boolean;
  /**
   * Takes the resource back after `use`, before the next operation's turn. `wasStopped` says whether
   * an interrupt of this operation has ended it. Never interrupted.
   */
  release(resource: R, wasStopped: boolean): void | PromiseLike<void>;
}

/** Milliseconds between two interrupts until the stop timeout. */
const INTERVAL = 3;
/** Milliseconds between two interrupts after the stop timeout. */
const INTERVAL_AFTER_TIMEOUT = 100;

/**
 * Waits for a place, then runs `use(open())`. Stops it when `ctx` ends, and settles as
 * `runStoppable` does.
 *
 * An operation that ignores its interrupts cannot be destroyed without ending the process. After
 * the stop timeout its caller gets `ctx.err()`, and the receipt says "abandoned". Its place stays
 * taken and the interrupts go on until the operation has ended, so they cannot hit another one.
 */
export async function runInterruptible<R, T>(
  ctx: Context,
  operation: InterruptibleOperation<R, T>,
): Promise<T> {
  const { kind, what, places } = operation;
  const place = await takePlace(places, ctx);
  let isOpening = true;
  let inUse: { resource: R } | undefined;
  let isStopping = false;
  let released: Promise<unknown> = Promise.resolve();
  let timer: ReturnType<typeof setInterval> | undefined;
  let leaveWhileOpening = (): void => undefined;

  const run = async (): Promise<T> => {
    const resource = await operation.open(ctx);
    isOpening = false;
    let wasStopped = false;
    try {
      throwIfDone(ctx);
      inUse = { resource };
      return await operation.use(resource);
    } catch (error) {
      wasStopped = isStopping && operation.isInterrupt(error);
      throw error;
    } finally {
      inUse = undefined;
      await operation.release(resource, wasStopped);
    }
  };
  const interrupt = (): void => {
    try {
      if (inUse !== undefined) operation.interrupt(inUse.resource);
    } catch {
      // The connection was closed in the meantime. The operation itself fails with that error.
    }
  };

  try {
    return await runStoppable(ctx, {
      kind,
      what,
      start(resolver) {
        const running = run();
        released = running.catch(() => undefined);
        running.then(
          (value) => resolver.resolve(value),
          (error: unknown) => resolver.reject(error),
        );
        leaveWhileOpening = () => resolver.reject(ctx.err());
        return undefined;
      },
      async stop() {
        if (isOpening) {
          leaveWhileOpening();
          return "proven"; // the engine has not begun
        }
        isStopping = true;
        interrupt();
        timer = setInterval(interrupt, INTERVAL);
        await released;
        clearInterval(timer);
        return "proven"; // an interrupt acts before it returns
      },
      isStop: (error) => operation.isInterrupt(error),
      destroy() {
        clearInterval(timer);
        timer = setInterval(interrupt, INTERVAL_AFTER_TIMEOUT).unref();
      },
    });
  } finally {
    void released.then(() => place.release());
  }
}
