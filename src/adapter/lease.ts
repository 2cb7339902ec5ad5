/** Waiting for a connection of a pool. */
import { afterFunc, startWork, throwIfDone, type Context } from "../index.ts";

export interface LeaseOptions<C> {
  /** For the ledger, as "pg.wait". */
  readonly kind: string;
  /** Asks the pool for a connection; called once. */
  take(): PromiseLike<C>;
  /** Gives back, unused, one that was granted too late. */
  giveBack(connection: C): void;
}

/**
 * Resolves with a connection, which is then the caller's to give back. Rejects with `ctx.err()` as
 * soon as `ctx` is done. Pools cannot take a waiter back, so one that has left is granted its
 * connection in its turn all the same, and it goes straight back.
 */
export function lease<C>(ctx: Context, options: LeaseOptions<C>): Promise<C> {
  return new Promise((resolve, reject) => {
    throwIfDone(ctx);
    const work = startWork(ctx, options.kind);
    const stay = afterFunc(ctx, (err) => {
      work.end();
      reject(err);
    });
    // A promise of ours: some pools throw, and a grant must be over before its connection goes back,
    // or the next grants happen within it, once for each waiter that has left.
    void (async () => options.take())().then(
      (connection) => {
        if (!stay()) options.giveBack(connection);
        else {
          work.end();
          resolve(connection);
        }
      },
      (error: unknown) => {
        if (!stay()) return;
        work.end();
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the driver's own
        reject(error);
      },
    );
  });
}
