/** The wait for a connection of a pool. */
import { afterFunc, startWork, throwIfDone, type Context } from "../index.ts";
import { callAdapter } from "./call-adapter.ts";
import { explainWait, holderOf } from "./held-connection.ts";

export interface LeaseOptions<C> {
  /** The kind of work for the ledger while the caller waits, such as "pg.wait". */
  readonly kind: string;
  /**
   * An object that stands for the pool, the same as that of `SessionSource`. With it, the ledger and
   * a process warning say so if a call waits for a connection that its own caller holds.
   */
  readonly pool?: object | undefined;
  /** Asks the pool for a connection. Called once. */
  take(): PromiseLike<C>;
  /** Gives a connection back that was granted after the context had ended. Must not throw. */
  giveBack(connection: C): void;
}

/**
 * Takes a connection from a pool. The caller must give it back. Rejects with `ctx.err()` as soon as
 * `ctx` ends, and with the pool's own error if the pool refuses.
 *
 * A pool cannot remove a caller from its queue. If the context ends while the caller waits, the pool
 * still grants the connection when it is the caller's turn, and it goes straight back to the pool.
 */
export function lease<C>(ctx: Context, options: LeaseOptions<C>): Promise<C> {
  const { pool } = options;
  const holder = pool === undefined ? undefined : holderOf(pool, ctx);
  if (pool === undefined || holder === undefined) return wait(ctx, options);
  return wait(ctx, options, `while ${holder} of the same context holds a connection`).catch(
    (error: unknown) => {
      if (error === ctx.err()) explainWait(pool, ctx);
      throw error;
    },
  );
}

function wait<C>(ctx: Context, options: LeaseOptions<C>, what?: string): Promise<C> {
  return new Promise((resolve, reject) => {
    throwIfDone(ctx);
    const work = startWork(ctx, options.kind, what);
    const unregister = afterFunc(ctx, (err) => {
      work.end();
      reject(err);
    });
    // `take` is called in an async function for two reasons. Some pools throw. And a pool must have
    // finished one grant before that connection goes back. Otherwise it would make the next grants
    // inside this one, nested once for each caller that no longer waits.
    void (async () => options.take())().then(
      (connection) => {
        if (!unregister()) callAdapter("giveBack", () => options.giveBack(connection));
        else {
          work.end();
          resolve(connection);
        }
      },
      (error: unknown) => {
        if (!unregister()) return;
        work.end();
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the driver's own
        reject(error);
      },
    );
  });
}
