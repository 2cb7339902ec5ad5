/** Streams: rows that are read while they arrive, in a `for await` loop. */
import { throwIfDone, withCancel, type CancelableContext, type Context } from "../index.ts";

/** The rows of an open result. It uses its connection until it is closed. */
export interface Rows<Row> {
  /** Returns the next rows, or `undefined` at the end. Not called while an earlier call is pending. */
  next(): PromiseLike<readonly Row[] | undefined>;
  /**
   * Ends the result, whether early or at its end. Resolves when the connection can do other work.
   * May be called again. Rejects only with a failure that the early end has caused, such as that of
   * a COMMIT.
   */
  close(): PromiseLike<void>;
}

/**
 * Returns a generator of the rows that `open` provides, and throws `ctx.err()` when `ctx` ends.
 *
 * Opens the result when the loop asks for its first row, and closes it when the loop is left in any
 * way. `open` gets a context that also ends when the loop is left while rows are being fetched, as
 * `Readable.from(…).destroy()` does.
 */
export function rowsOf<Row>(
  ctx: Context,
  open: (ctx: Context) => PromiseLike<Rows<Row>>,
): AsyncGenerator<Row, void, undefined> {
  let fetchCtx: CancelableContext | undefined;
  let isFetching = false;
  let wasLeft = false;

  async function* read(): AsyncGenerator<Row, void, undefined> {
    throwIfDone(ctx);
    fetchCtx = withCancel(ctx);
    try {
      isFetching = true;
      const rows = await open(fetchCtx);
      try {
        for (let batch; (batch = await rows.next()) !== undefined; isFetching = true) {
          isFetching = false;
          for (const row of batch) {
            throwIfDone(ctx);
            yield row;
          }
        }
      } finally {
        isFetching = false;
        await rows.close();
      }
    } catch (error) {
      if (!wasLeft || error !== fetchCtx.err()) throw error;
    } finally {
      fetchCtx[Symbol.dispose]();
    }
  }

  const rows = read();
  // The generator's own `return` would wait until the rows that are being fetched have arrived.
  const leave = rows.return.bind(rows);
  rows.return = (value) => {
    if (isFetching) {
      wasLeft = true;
      fetchCtx?.cancel();
    }
    return leave(value);
  };
  return rows;
}
