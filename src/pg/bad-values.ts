/** Values that pg cannot write, because a `toPostgres` or a `toJSON` has thrown. */
import type { Connection, Query } from "./driver.ts";

/**
 * Ends the query on the connection if pg cannot write its values. pg before 8.22 reports the error,
 * but sends no Sync, and the client never becomes ready for another query.
 */
export function syncAfterBadValues(query: Query, { submittedNamedStatements }: Connection): void {
  if (submittedNamedStatements !== undefined) return; // pg 8.23 or later
  const prepare = query.prepare.bind(query);
  query.prepare = (connection) => {
    let isOpen = true;
    const execute = (message: object): void => {
      isOpen = false;
      connection.execute(message);
    };
    const sync = (): void => {
      isOpen = false;
      connection.sync();
    };
    prepare(
      Object.create(connection, {
        execute: { value: execute },
        sync: { value: sync },
      }) as Connection,
    );
    if (isOpen) connection.sync();
  };
}
