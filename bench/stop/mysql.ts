/** Asks MySQL or MariaDB what it runs, for all of its drivers. */
import mysql from "mysql2/promise";
import type { Bare } from "./driver.ts";

export interface Observer {
  readonly server: string;
  /** Returns whether a connection runs SQL that contains this text. */
  readonly running: (text: string) => Promise<boolean>;
  readonly bare: Bare;
  readonly close: () => Promise<unknown>;
}

export const SLEEP = (seconds: number): string => `select sleep(${seconds})`;
export const CPU = (size: number): string => `select benchmark(${size}, sha2('eightysix', 256))`;

export async function observe(uri: string): Promise<Observer> {
  const connect = (): Promise<mysql.Connection> => mysql.createConnection({ uri });
  const [client, control, idle] = await Promise.all([connect(), connect(), connect()]);
  const [[version]] = await client.query<mysql.RowDataPacket[]>("select version() as v");
  const name = (version?.["v"] as string | undefined) ?? "";
  // Leaves out the observer's own connections.
  const text = `select 1 from information_schema.processlist
    where command in ('Query', 'Execute') and id not in (${client.threadId}, ${control.threadId})
      and locate(?, info) > 0`;
  return {
    server:
      /^[\d.]+/.exec(name)?.[0].replace(/^/, /maria/i.test(name) ? "MariaDB " : "MySQL ") ?? name,
    async running(mark) {
      const [rows] = await client.query<mysql.RowDataPacket[]>(text, [mark]);
      return rows.length > 0;
    },
    bare: {
      what: "KILL QUERY of an idle thread, on an open connection",
      cancel: () => control.query(`kill query ${idle.threadId}`),
    },
    close: () => Promise.all([client.end(), control.end(), idle.end()]),
  };
}
