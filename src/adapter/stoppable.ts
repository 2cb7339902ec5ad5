/**
 * The protocol of every adapter, written once: how one operation on a shared resource is stopped
 * for real, without ever hitting somebody else's.
 *
 * The main hazard is the late stop: sent while the operation was ending by itself, it kills
 * whoever uses the connection next. So nothing settles here until the operation has settled *and*
 * its stop can do nothing more. That is bounded, because a server or a network may never answer:
 * then the resource is destroyed, which ends the doubt.
 */
import { afterFunc, background, orDone, startWork, throwIfDone, withTimeout, type Context } from "../index.ts";

export interface Operation<T> {
  /** For the ledger: what sort of work, as "pg.query", and which. */
  readonly kind: string;
  readonly what?: string | undefined;
  /** Starts it. Called once, unless the context is done already. */
  start(): PromiseLike<T>;
  /**
   * Begins to stop it, and resolves when the stop can do nothing more, to this operation or to the
   * next one on the resource. Called at most once, while `running()`. Rejects if that cannot be
   * known: then the resource is destroyed.
   */
  stop(running: () => boolean): PromiseLike<unknown>;
  /** Whether this failure is the work of `stop`, such as PostgreSQL's 57014. */
  isStop(error: unknown): boolean;
  /** Ends the resource at once: nothing of the operation can reach anybody afterwards. Never throws. */
  destroy(reason: unknown): void;
}

/** How long the other side has to stop, in milliseconds, before the resource is destroyed. */
export const GRACE = 2_000;

type Outcome<T> = { value: T } | { error: unknown };

/**
 * Runs an operation until it settles or `ctx` is done *and* it has been stopped. Resolves with its
 * result, even one that beat the stop; rejects with `ctx.err()` if the stop or the end of the
 * resource ended it, and with the operation's own error, untouched, in every other case.
 */
export async function runStoppable<T>(ctx: Context, operation: Operation<T>, grace = GRACE): Promise<T> {
  throwIfDone(ctx);
  const work = startWork(ctx, operation.kind, operation.what);
  let outcome: Outcome<T> | undefined;
  let stopSent = false;
  let destroyed = false;
  let letGo: () => void;
  const abandoned = new Promise<void>((resolve) => (letGo = resolve));

  const settled = Promise.resolve(operation.start()).then(
    (value) => void (outcome = { value }),
    (error: unknown) => void (outcome = { error }),
  );
  const stop = afterFunc(ctx, async () => {
    if (outcome !== undefined) return;
    stopSent = true;
    using bound = withTimeout(background(), grace);
    try {
      const stopping = Promise.resolve(operation.stop(() => outcome === undefined));
      await orDone(bound, Promise.all([stopping, settled]));
    } catch (error) {
      destroyed = true;
      operation.destroy(error);
      letGo();
    }
  });

  await Promise.race([settled, abandoned]);
  if (!stop()) await stop.finished;
  work.end(destroyed ? "lost" : "stopped");
  if (outcome !== undefined && "value" in outcome) return (outcome as { value: T }).value;
  const failure = outcome as { error: unknown } | undefined;
  if (failure === undefined || destroyed || (stopSent && operation.isStop(failure.error))) throw ctx.err();
  throw failure.error;
}
