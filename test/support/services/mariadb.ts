import mysql from "mysql2/promise";
import { mariadbMissing, startMariadb } from "../../../servers/mariadb.ts";
import { ANSWER, databaseName, type Lease, type Service } from "./service.ts";

export const mariadb: Service = {
  name: "MariaDB",
  missing: mariadbMissing,
  variable: "EIGHTYSIX_TEST_MARIADB_URL",
  standard: "mysql://root@127.0.0.1:3306/",
  drivers: ["mysql2", "mariadb"],
  environment: (url) => ({ MARIADB_URL: url }),
  async use(url): Promise<Lease> {
    const name = databaseName();
    // An earlier run with the same process id may have been killed.
    await query(url, `create or replace database ${name}`);
    const own = new URL(url);
    own.pathname = name;
    return { url: own.href, end: () => query(url, `drop database ${name}`) };
  },
  start: startMariadb,
};

async function query(url: string, text: string): Promise<void> {
  const connection = await mysql.createConnection({ uri: url, connectTimeout: ANSWER });
  try {
    await connection.query(text);
  } finally {
    connection.destroy();
  }
}
