/** What tests ask a real MariaDB: the server's own word on what it is still running. */
import mysql from "mysql2/promise";
import { describe, inject, onTestFinished, test } from "vitest";

export { mark, until } from "./wait.ts";

const missing = inject("mariadbUrl") === undefined;

/** `test` and `describe` of what needs the server: skipped where there is none. */
export const testMariadb = test.skipIf(missing);
export const describeMariadb = describe.skipIf(missing);

/** The connection string of the run's server, with a database of the run's own. */
export function mariadbUrl(): string {
  const url = inject("mariadbUrl");
  if (url === undefined) throw new Error("there is no MariaDB: use testMariadb in place of test");
  return url;
}

interface IdRow extends mysql.RowDataPacket {
  id: number | bigint;
}

export interface Observer {
  /** How many connections run SQL that contains this text. */
  running(text: string): Promise<number>;
  /** Which of these thread ids are still connected; all those of the run's database by default. */
  connections(ids?: readonly number[]): Promise<number[]>;
  query: mysql.Connection["query"];
}

/** Looks on from a connection of its own, which ends with the test. */
export async function observer(options: mysql.ConnectionOptions = {}): Promise<Observer> {
  const connection = await mysql.createConnection({ uri: mariadbUrl(), ...options });
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
      // Another observer's question contains the text, too. Prepare, before Execute, runs nothing.
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
