/** The options of `withContext`, `bind` and `contextPool`. */
import type { OnCancel, StopOptions } from "../adapter/index.ts";

export interface WithContextOptions extends StopOptions {
  /**
   * What happens to a connection after a query on it was canceled.
   *
   * - "auto", the default, uses it again if the server has proved that it consumed the cancel request:
   *   exactly one was sent, the query failed with the error of a cancel request, and no second signal
   *   of PostgreSQL before 18 can follow. It also does so if the query ended before one was sent.
   *   Otherwise the connection is closed, and nothing more is sent there, because a pooler in between
   *   may deliver the request late.
   * - "reuse" uses it again. Choose it only if nothing stands between this process and the server, or
   *   a pooler for which docs/poolers.md allows it.
   * - "destroy" closes it.
   *
   * docs/poolers.md says which one each connection pooler needs.
   *
   * A client that you have passed yourself is closed by the same rule.
   */
  onCancel?: OnCancel;
  /**
   * How long the server may take to stop a query, in milliseconds, 2000 by default. After that the
   * connection is destroyed, the promise rejects with `ctx.err()`, and the receipt says "abandoned".
   */
  stopTimeout?: number;
  /**
   * Whether the server enforces deadlines too, false by default. If true, a query from a Pool, or a
   * statement in `transaction`, whose context has a deadline gets a `statement_timeout` of the
   * remaining time plus the stop timeout. It ends the query if this process or its network has
   * failed and can send no cancel request. A shorter limit of the user stays in force.
   *
   * The setting is sent along with the query, or with the BEGIN, and ends with it. Outside of
   * `transaction`, only a text of one statement that begins with SELECT, INSERT, UPDATE, DELETE,
   * MERGE, WITH, VALUES or TABLE gets a limit.
   *
   * First consider PostgreSQL's `client_connection_check_interval`, which adds no message to a query
   * and also works without a deadline.
   */
  serverTimeout?: boolean;
}
