/** Asks PostgreSQL what it runs, for all of its drivers. */
import { once } from "node:events";
import { connect } from "node:net";
import pg from "pg";
import type { Bare } from "./driver.ts";

export interface Observer {
  readonly server: string;
  /** Returns whether a backend is active on SQL that contains this text. */
  running(text: string): Promise<boolean>;
  readonly bare: Bare;
  close(): Promise<unknown>;
}

export const SLEEP = (seconds: number): string => `select pg_sleep(${seconds})`;
export const CPU = (size: number): string =>
  `select count(*) from generate_series(1, ${size}) a, generate_series(1, 1000) b where a * b % 7 = 3`;
/**
 * Turns parallel queries off: their workers are further backends, which stop at times of their own.
 */
export const ALONE = "-c max_parallel_workers_per_gather=0";

export async function observe(url: string): Promise<Observer> {
  const client = new pg.Client({ connectionString: url });
  const idle = new pg.Client({ connectionString: url });
  for (const one of [client, idle]) {
    one.on("error", () => undefined);
    await one.connect();
  }
  const { rows } = await client.query<{ server_version: string }>("show server_version");
  const text = `select 1 from pg_stat_activity
    where state = 'active' and pid <> pg_backend_pid() and position($1 in query) > 0`;
  return {
    server: `PostgreSQL ${rows[0]?.server_version.split(" ")[0] ?? ""}`,
    running: async (mark) =>
      (await client.query({ name: "look", text, values: [mark] })).rows.length > 0,
    bare: {
      what: "a CancelRequest for an idle backend, from connect to the server's close",
      cancel: () => cancel(new URL(url), idle),
    },
    close: () => Promise.all([client.end(), idle.end()]),
  };
}

async function cancel({ hostname, port }: URL, client: pg.Client): Promise<void> {
  const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
  const request = Buffer.alloc(16);
  [16, 80877102, processID, secretKey].forEach((n, i) => request.writeInt32BE(n, 4 * i));
  const socket = connect(Number(port), hostname);
  socket.resume().write(request);
  await once(socket, "end");
  socket.destroy();
}
