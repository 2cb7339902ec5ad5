/**
 * The deadline, sent to the server along with the query. It ends the query on the server if this
 * process or its network has failed and can send no cancel request.
 */
import { isOneReadOrWrite } from "../adapter/orm/transaction-command.ts";
import { setTimeoutTo } from "../adapter/postgresql/server-timeout.ts";
import type { Connection, Query } from "./driver.ts";

/**
 * Lets the server end `query` after `ms` milliseconds. `query` must be the next one on this idle,
 * leased connection.
 *
 * The setting travels in the same flight as the query and is local to the implicit transaction that
 * ends with the query. So the setting costs no round trip, and does not outlive the query.
 *
 * A flight of two statements needs the extended protocol. It takes only one statement in a text, and
 * is a transaction to the server. So only one statement that reads or writes rows gets a limit.
 * Otherwise the server would refuse a VACUUM or a procedure that commits, and a BEGIN would keep
 * the limit for its transaction.
 */
export function applyServerTimeout(query: Query, ms: number): void {
  if (!query.text || !isOneReadOrWrite(query.text)) return;
  const prepare = query.prepare.bind(query);
  const handleCommandComplete = query.handleCommandComplete.bind(query);
  let isSetting = true;
  query.requiresPreparation = () => true;
  query.prepare = (connection) => prepare(withSetting(connection, query.name, ms));
  query.handleCommandComplete = (message, connection) => {
    if (isSetting) isSetting = false;
    else handleCommandComplete(message, connection);
  };
}

/**
 * Returns the connection for one `prepare`, which sends the setting along.
 *
 * The setting is prepared without a name. It is sent before a query without a name, because it
 * would replace that query's statement. It is sent after the Parse of a named query, because pg
 * takes the first ParseComplete for that of the query.
 */
function withSetting(connection: Connection, name: string | undefined, ms: number): Connection {
  let isSent = false;
  const sendSetting = (): void => {
    if (isSent) return;
    isSent = true;
    connection.parse({ text: setTimeoutTo(ms) });
    connection.bind({});
    connection.execute({});
  };
  return Object.create(connection, {
    parse: {
      value(message: Parameters<Connection["parse"]>[0]) {
        if (!name) sendSetting();
        connection.parse(message);
      },
    },
    bind: {
      value(message: Parameters<Connection["bind"]>[0]) {
        sendSetting();
        connection.bind(message);
      },
    },
  }) as Connection;
}
