/** What can be said of how queries are stopped. */
import type { StopOptions } from "../adapter/settings.ts";

export interface WithContextOptions extends StopOptions {
  /**
   * What becomes of the connection after a query was canceled. "reuse", the default, gives it
   * back healthy. "destroy" closes it: for a connection pooler that closes the connection of a
   * cancel request before it has passed the request on. (PgBouncer does not.)
   */
  onCancel?: "reuse" | "destroy";
  /**
   * How long the server may take to stop a query, in milliseconds, 2000 by default. After that the
   * connection is destroyed, the caller gets `ctx.err()`, and the receipt says "abandoned".
   */
  stopTimeout?: number;
  /**
   * Whether the server is told of deadlines, true by default: a query from a Pool, or a statement
   * in `transaction`, whose context has one gets a `statement_timeout` of what remains plus the
   * stopTimeout, for the case that this process or its network is gone by then. It is sent along with
   * the query, ends with it, and costs the two sides about 20 microseconds.
   */
  serverTimeout?: boolean;
}
