/** What tests ask a real MariaDB, such as what it is still running. */
import mysql from "mysql2/promise";
import { onTestFinished } from "vitest";
import { describeWith, serverUrl, testWith } from "./server.ts";

export { mark, until } from "./wait.ts";

export const testMariadb = testWith("mariadb");
export const describeMariadb = describeWith("mariadb");

/** Returns the URL of the run's server, with a database that belongs to this run. */
export function mariadbUrl(): string {
  return serverUrl("mariadb");
}

interface IdRow extends mysql.RowDataPacket {
  id: number | bigint;
}

export interface Observer {
  /** Returns how many connections run SQL that contains this text. */
  running(text: string): Promise<number>;
  /**
   * Returns which of these thread ids are still connected. Without ids, returns all connections to
   * the run's database.
   */
  connections(ids?: readonly number[]): Promise<number[]>;
  query: mysql.Connection["query"];
}

/** Opens a connection that observes the server, by default the run's. It closes with the test. */
export async function observer(options: mysql.ConnectionOptions = {}): Promise<Observer> {
  const uri = options.uri ?? mariadbUrl(); // a server of the test's own works without the run's
  const connection = await mysql.createConnection({ ...options, uri });
  onTestFinished(() => connection.destroy());
  const count = async (sql: string, values: unknown[]): Promise<number[]> => {
    const [rows] = await connection.query<IdRow[]>(
      `select id from information_schema.processlist where id <> connection_id() and ${sql}`,
      values,
    );
    return rows.map(({ id }) => Number(id)).sort((a, b) => a - b);
  };
  return {
    query: connection.query.bind(connection),
    async running(text) {
      // The query of another observer contains the text, too. The command Prepare runs nothing.
      const found = await count(
        "command in ('Query', 'Execute', 'Bulk_execute') and locate(?, info) > 0 and locate('processlist', info) = 0",
        [text],
      );
      return found.length;
    },
    connections: (ids) =>
      ids === undefined
        ? count("db = database()", [])
        : ids.length === 0
          ? Promise.resolve([])
          : count("id in (?)", [ids]),
  };
}
