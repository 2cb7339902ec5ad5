import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { elsewhere, usableBinaries } from "./postgres-binaries.ts";
import { startServer, type Server, type ServerOptions } from "./server.ts";

/** A running PostgreSQL with an empty database `postgres`. */
export type PostgresServer = Server;

export interface PostgresOptions extends ServerOptions {
  /** Parameters of postgresql.conf. They replace or extend the defaults below. */
  settings?: Readonly<Record<string, string | number>>;
}

// No data has to survive a crash, and repeated runs should take equally long.
const defaults = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "", // the path of a socket can be too long, and TCP is enough
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
  wal_level: "minimal",
  max_wal_senders: 0,
  max_connections: 100,
  shared_buffers: "64MB",
  dynamic_shared_memory_type: "mmap", // in the data directory, so that nothing stays in /dev/shm
  autovacuum: "off",
  jit: "off",
};

const script = `
bin=$1 port=$2 password=$config
unset config
shift 2
printf '%s\\n' "$password" >"$dir/password"
"$bin/initdb" -D "$dir/data" -U postgres -A scram-sha-256 --pwfile="$dir/password" \\
  -c scram_iterations=1 -E UTF8 --no-locale --no-sync --no-instructions &&
exec "$bin/postgres" -D "$dir/data" -p "$port" "$@"
`;

/** Starts the PostgreSQL of the npm package. See `startServer`. */
export function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const settings = Object.entries({ ...defaults, ...options.settings });
  const flags = settings.flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  return startServer(
    {
      name: "PostgreSQL",
      user: "postgres",
      elsewhere,
      script,
      // Immediate shutdown, which also stops a backend in the middle of a computation. A postmaster
      // that is killed leaves a segment of shared memory on the machine.
      signal: "QUIT",
      async prepare({ directory, port, account }) {
        const bin = await usableBinaries(directory, account);
        // "trust" would let every user of the machine run programs as the server's account
        // (COPY … TO PROGRAM).
        const password = randomBytes(12).toString("hex");
        const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
        return { args: [bin, String(port), ...flags], config: password, url };
      },
      // The last line is the server's state. pg_ctl reads it, too.
      async ready(directory) {
        const file = await readFile(join(directory, "data", "postmaster.pid"), "utf8").catch(
          () => "",
        );
        return file.split("\n")[7]?.trim() === "ready";
      },
    },
    options,
  );
}
