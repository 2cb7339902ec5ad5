import pg from "pg";
import { startPostgres } from "../../../servers/postgres.ts";
import { ANSWER, databaseName, type Lease, type Service } from "./service.ts";

export const postgres: Service = {
  name: "PostgreSQL",
  variable: "EIGHTYSIX_TEST_POSTGRES_URL",
  isRequired: true, // it comes with the packages
  standard: "postgres://postgres@127.0.0.1:5432/postgres",
  drivers: ["pg", "postgres"],
  environment(url) {
    const { hostname, port, username, password, pathname } = new URL(url);
    return {
      PGHOST: hostname,
      PGPORT: port,
      PGUSER: decodeURIComponent(username),
      PGDATABASE: pathname.slice(1),
      ...(password && { PGPASSWORD: decodeURIComponent(password) }),
    };
  },
  async use(url): Promise<Lease> {
    const name = databaseName();
    // An earlier run with the same process id may have been killed. template1 can be in use.
    await query(url, `drop database if exists ${name} with (force)`);
    await query(url, `create database ${name} template template0`);
    const own = new URL(url);
    own.pathname = name;
    return { url: own.href, end: () => query(url, `drop database ${name} with (force)`) };
  },
  start: startPostgres,
};

async function query(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: ANSWER });
  client.on("error", () => undefined);
  try {
    await client.connect();
    await client.query(text);
  } finally {
    await client.end().catch(() => undefined);
  }
}
