/** The options of `withContext`, `bind` and `contextPool`. */
import type { StopOptions } from "../adapter/index.ts";

export interface WithContextOptions extends StopOptions {
  /**
   * What happens to a connection after a query on it was canceled. "reuse", the default, returns it
   * to the pool. "destroy" closes it. Use "destroy" for a connection pooler that closes the
   * connection of a cancel request before it has passed the request on. (PgBouncer does not.)
   */
  onCancel?: "reuse" | "destroy";
  /**
   * How long the server may take to stop a query, in milliseconds, 2000 by default. After that the
   * connection is destroyed, the promise rejects with `ctx.err()`, and the receipt says "abandoned".
   */
  stopTimeout?: number;
  /**
   * Whether the server enforces deadlines too, true by default. A query from a Pool, or a statement
   * in `transaction`, whose context has a deadline gets a `statement_timeout` of the remaining time
   * plus the stop timeout. It ends the query if this process or its network has failed and can send
   * no cancel request. The setting is sent along with the query, ends with it, and costs client and
   * server about 20 microseconds.
   */
  serverTimeout?: boolean;
}
