import mysql from "mysql2/promise";
import { startMariadb } from "../../../servers/mariadb.ts";
import { ANSWER, databaseName, type Lease, type Service } from "./service.ts";

export const mariadb: Service = {
  name: "MariaDB",
  variable: "EIGHTYSIX_TEST_MARIADB_URL",
  standard: "mysql://root@127.0.0.1:3306/",
  async use(url): Promise<Lease> {
    const name = databaseName();
    // An earlier run with the same process id may have been killed.
    await query(url, `create or replace database ${name}`);
    const own = new URL(url);
    own.pathname = name;
    return { url: own.href, end: () => query(url, `drop database ${name}`) };
  },
  async start() {
    const server = await startMariadb();
    return { url: server.url, end: () => server.stop() };
  },
};

async function query(url: string, text: string): Promise<void> {
  const connection = await mysql.createConnection({ uri: url, connectTimeout: ANSWER });
  try {
    await connection.query(text);
  } finally {
    connection.destroy();
  }
}
