/** Results that are read as they come. */
import { throwIfDone, withCancel, type CancelableContext, type Context } from "../index.ts";

/** An open result, which holds its connection until it is closed. */
export interface Rows<Row> {
  /** The next rows, or `undefined` at the end. Not called again before it has settled. */
  next(): PromiseLike<readonly Row[] | undefined>;
  /**
   * Ends it, early or not, and resolves when the connection can do other work. Idempotent. Rejects
   * only with what its early end has brought about, such as a COMMIT that failed.
   */
  close(): PromiseLike<void>;
}

/**
 * Row by row, until `ctx` is done. Opens with the first, under a context that also ends when somebody
 * leaves while rows are being fetched, as `Readable.from(…).destroy()` does; closes when the loop is
 * left, in whichever way.
 */
export function rowsOf<Row>(
  ctx: Context,
  open: (ctx: Context) => PromiseLike<Rows<Row>>,
): AsyncGenerator<Row, void, undefined> {
  let scope: CancelableContext | undefined;
  let fetching = false;
  let left = false;

  async function* read(): AsyncGenerator<Row, void, undefined> {
    throwIfDone(ctx);
    scope = withCancel(ctx);
    try {
      fetching = true;
      const rows = await open(scope);
      try {
        for (let batch; (batch = await rows.next()) !== undefined; fetching = true) {
          fetching = false;
          for (const row of batch) {
            throwIfDone(ctx);
            yield row;
          }
        }
      } finally {
        fetching = false;
        await rows.close();
      }
    } catch (error) {
      if (!left || error !== scope.err()) throw error;
    } finally {
      scope[Symbol.dispose]();
    }
  }

  const rows = read();
  // A generator would keep whoever leaves waiting for the fetch.
  const leave = rows.return.bind(rows);
  rows.return = (value) => {
    if (fetching) {
      left = true;
      scope?.cancel();
    }
    return leave(value);
  };
  return rows;
}
