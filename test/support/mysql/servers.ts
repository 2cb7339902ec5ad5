/** The servers on which the tests of mysql2 and mariadb run, and what tests ask them. */
import mysql from "mysql2/promise";
import { onTestFinished } from "vitest";
import { mariadbMissing, startMariadb } from "../../../servers/mariadb.ts";
import type { MysqlOptions, MysqlServer } from "../../../servers/mysql-server.ts";
import { mysqlMissing, startMysql } from "../../../servers/mysql.ts";
import { describeWith, serverUrl, testWith } from "../server.ts";

export { mark, until } from "../wait.ts";

/** MySQL or MariaDB. */
export interface TestServer {
  readonly name: "mysql" | "mariadb";
  readonly title: "MySQL" | "MariaDB";
  /** `describe` and `test` for tests on the run's server. They are skipped if it is missing. */
  readonly describe: ReturnType<typeof describeWith>;
  readonly test: ReturnType<typeof testWith>;
  /** Returns the URL of the run's server, with a database that belongs to this run. */
  url(): string;
  /** Returns why a test cannot start a server of its own, or `undefined` if it can. */
  missing(): string | undefined;
  start(options?: MysqlOptions): Promise<MysqlServer>;
  /** A query for the number `n`: 1 if its session is in a transaction, 0 if not. */
  readonly inTransaction: string;
  /** The number of the error that ends a statement at the server's own time limit. */
  readonly timeLimitError: number;
  /** Returns SQL that limits the time of the session's following SELECT statements. */
  setTimeLimit(milliseconds: number): string;
  /** Returns the limit in milliseconds that the adapter has added to this text, if there is one. */
  timeLimitIn(sql: string): number | undefined;
}

const mariadb: TestServer = {
  ...{ name: "mariadb", title: "MariaDB" },
  ...{ describe: describeWith("mariadb"), test: testWith("mariadb") },
  url: () => serverUrl("mariadb"),
  missing: mariadbMissing,
  start: startMariadb,
  inTransaction: "select @@in_transaction as n",
  timeLimitError: 1969,
  setTimeLimit: (ms) => `set max_statement_time = ${ms / 1000}`,
  timeLimitIn: (sql) => numberIn(/max_statement_time=IF\(.*,([\d.]+)\) FOR/, sql, 1_000),
};

const mysqlItself: TestServer = {
  ...{ name: "mysql", title: "MySQL" },
  ...{ describe: describeWith("mysql"), test: testWith("mysql") },
  url: () => serverUrl("mysql"),
  missing: mysqlMissing,
  start: startMysql,
  inTransaction: `select count(*) as n from performance_schema.events_transactions_current
    where thread_id = ps_current_thread_id() and state = 'ACTIVE' and autocommit = 'NO'`,
  timeLimitError: 3024,
  setTimeLimit: (ms) => `set max_execution_time = ${ms}`,
  timeLimitIn: (sql) => numberIn(/MAX_EXECUTION_TIME\((\d+)\)/, sql, 1),
};

export const testServers: readonly TestServer[] = [mariadb, mysqlItself];

function numberIn(pattern: RegExp, sql: string, factor: number): number | undefined {
  const found = pattern.exec(sql)?.[1];
  return found === undefined ? undefined : Number(found) * factor;
}

/** Describes `title` once for each server, as "<title> on MariaDB". */
export function describeServers(title: string, fn: (server: TestServer) => void): void {
  for (const server of testServers)
    server.describe(`${title} on ${server.title}`, () => fn(server));
}

/** Returns a table expression with the numbers from 1 to `count`, at most 100,000, in the column `seq`. */
export function sequence(count: number, alias = "s"): string {
  return `(select seq from numbers where seq <= ${count}) as ${alias}`;
}

/** Returns the URL of the run's server behind another address. */
export function urlAt(server: TestServer, { host, port }: { host: string; port: number }): string {
  const url = new URL(server.url());
  url.host = `${host}:${port}`;
  return url.href;
}

/** Returns the address of the run's server. */
export function addressOf(server: TestServer): { host: string; port: number } {
  const { hostname, port } = new URL(server.url());
  return { host: hostname, port: Number(port || 3306) };
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

/** Opens a connection that observes the server at `uri`. It closes with the test. */
export async function observer(uri: string): Promise<Observer> {
  const connection = await mysql.createConnection(uri);
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
