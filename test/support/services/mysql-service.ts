/** What the services MySQL and MariaDB share. */
import mysql from "mysql2/promise";
import type { MysqlServer } from "../../../servers/mysql-server.ts";
import { ANSWER, databaseName, type Lease, type Service } from "./service.ts";

/** Returns the functions of a service for `name`, which is what the server must be. */
export function mysqlService(
  name: "MySQL" | "MariaDB",
  startServer: (options?: Parameters<Service["start"]>[0]) => Promise<MysqlServer>,
): Pick<Service, "name" | "standard" | "use" | "start"> {
  return {
    name,
    standard: "mysql://root@127.0.0.1:3306/",
    async use(url): Promise<Lease> {
      const database = databaseName();
      const own = new URL(url);
      own.pathname = database;
      await ask(url, async (send) => {
        const [[row]] = await send("select version() as version");
        const version = String(row?.["version"]);
        if (version.includes("MariaDB") !== (name === "MariaDB")) {
          throw new Error(`the server's version is ${version}, which is not ${name}`);
        }
        // An earlier run with the same process id may have been killed.
        await send(`drop database if exists ${database}`);
        await send(`create database ${database}`);
        await send(`use ${database}`);
        await createNumbers(send);
      });
      return { url: own.href, end: () => ask(url, (send) => send(`drop database ${database}`)) };
    },
    async start(options) {
      const server = await startServer(options);
      try {
        await ask(server.url, createNumbers);
        return server;
      } catch (error) {
        await server.stop();
        throw error;
      }
    },
  };
}

type Send = (sql: string) => Promise<[mysql.RowDataPacket[], unknown]>;

async function ask<T>(url: string, fn: (send: Send) => Promise<T>): Promise<T> {
  const connection = await mysql.createConnection({ uri: url, connectTimeout: ANSWER });
  try {
    return await fn((sql) => connection.query<mysql.RowDataPacket[]>(sql));
  } finally {
    connection.destroy();
  }
}

/** Creates the table of the numbers from 1 to 100,000. MySQL has no sequence tables as MariaDB has. */
async function createNumbers(send: Send): Promise<void> {
  const digits = (name: string): string =>
    `(${Array.from({ length: 10 }, (_, n) => `select ${n} as n`).join(" union all ")}) as ${name}`;
  await send("create table numbers (seq int primary key)");
  await send(
    `insert into numbers select 1 + a.n + 10 * b.n + 100 * c.n + 1000 * d.n + 10000 * e.n
     from ${["a", "b", "c", "d", "e"].map(digits).join(", ")}`,
  );
}
