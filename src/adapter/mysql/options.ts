/** The options of `withContext` in `eightysix/mysql2` and `eightysix/mariadb`. */
import { settingsOf, type OnCancel, type Settings, type StopOptions } from "../settings.ts";

/**
 * The default of `stopTimeout`, in milliseconds. Other adapters have a shorter one. MariaDB tries for
 * two seconds to lock a mutex of the statement that it kills, and a statement that enters `SLEEP()`
 * may hold that mutex while it waits for one that the killing connection holds.
 */
const MYSQL_STOP_TIMEOUT = 3_000;

export interface WithContextOptions extends StopOptions {
  /**
   * What happens to the connection after a statement was canceled. "auto", the default, and "reuse"
   * return the connection to its pool once the server has answered the KILL QUERY and the statement
   * has stopped. "destroy" closes it. The KILL QUERY is sent in all cases.
   */
  onCancel?: OnCancel;
  /**
   * How long the server may take to stop a statement, in milliseconds, 3000 by default. MariaDB
   * itself can take two seconds for a KILL that reaches a statement as it enters `SLEEP()`. After
   * the timeout the connection is destroyed, the caller gets `ctx.err()`, and the receipt says
   * "abandoned".
   */
  stopTimeout?: number;
  /**
   * Whether the server is told the deadline, false by default. If true, the server stops a statement
   * even if this process or its network has failed.
   *
   * MariaDB (from 10.1.2 on) gets `SET STATEMENT max_statement_time=… FOR` in front of the SQL that
   * `query` or `stream` sends, if that begins with SELECT, INSERT, UPDATE, DELETE, REPLACE or WITH.
   * The limit is the remaining time plus the stop timeout. If the session has a shorter limit, that
   * one stays in force. The server's logs show the prefix. Leave the option off behind a proxy that
   * routes by the first word, because the proxy sees the prefix too.
   *
   * MySQL (from 5.7.8 on) gets the hint `MAX_EXECUTION_TIME(…)` behind the SELECT with which the SQL of
   * `query` or `stream` begins, unless hints stand there already. Other statements have no limit in
   * MySQL. The hint would replace a limit of yours. So the adapter reads `max_execution_time` once for
   * each connection, and sends no hint on a connection that has a limit, nor after a statement that
   * names the variable. It does not see a limit that is set later without it.
   *
   * `execute` and `batch` send no limit.
   */
  serverTimeout?: boolean;
}

/** Checks the options and fills in the defaults. Throws a TypeError for a wrong option. */
export function mysqlSettings(options: WithContextOptions): Settings {
  return settingsOf(options, MYSQL_STOP_TIMEOUT);
}
