import { installed, lines, missing, type Programs } from "./installed.ts";
import { startServer, type Server, type ServerOptions } from "./server.ts";

/** A running PgBouncer; its url differs from its target's in the port only. */
export type PgbouncerServer = Server;

export interface PgbouncerOptions extends ServerOptions {
  /**
   * The url of the PostgreSQL behind it, with the user and the password for both ways: clients
   * show them to PgBouncer as they would to the server.
   */
  target: string;
  /** When a server's connection goes back to the pool. Default: "transaction". */
  poolMode?: "session" | "transaction" | "statement";
  /** Parameters of the [pgbouncer] section that replace or extend our own. */
  settings?: Readonly<Record<string, string | number>>;
}

const programs: Programs = {
  server: "PgBouncer",
  variable: "EIGHTYSIX_TEST_PGBOUNCER",
  debian: "pgbouncer",
};

/** Why it can't be started on this machine, and what to do; undefined if it can. */
export function pgbouncerMissing(): string | undefined {
  return missing(programs, "pgbouncer");
}

const script = `
pgbouncer=$1
shift
printf '%s\\n' "$config" >"$dir/userlist.txt"
unset config
printf '%s\\n' "$@" "auth_file = $dir/userlist.txt" >"$dir/pgbouncer.ini"
exec "$pgbouncer" "$dir/pgbouncer.ini"
`;

/** Starts the machine's own `pgbouncer`; see `startServer`. */
export function startPgbouncer(options: PgbouncerOptions): Promise<PgbouncerServer> {
  const target = new URL(options.target);
  const [user, password] = [target.username, target.password].map(decodeURIComponent) as [
    string,
    string,
  ];
  return startServer(
    {
      name: "PgBouncer",
      user: "postgres",
      elsewhere: "Start it by hand.",
      script,
      prepare({ port }) {
        const settings = {
          listen_addr: "127.0.0.1",
          listen_port: port,
          unix_socket_dir: "",
          pool_mode: options.poolMode ?? "transaction",
          // Trust would let every user of the machine in, as the server's superuser.
          auth_type: password === "" ? "trust" : "scram-sha-256",
          ignore_startup_parameters: "extra_float_digits,statement_timeout",
          ...options.settings,
        };
        const url = new URL(target);
        url.hostname = "127.0.0.1";
        url.port = String(port);
        return {
          args: [
            installed(programs, "pgbouncer"),
            ...["[databases]", `* = host=${target.hostname} port=${target.port || 5432}`],
            ...["[pgbouncer]", ...lines(settings, "=")],
          ],
          config: `${quote(user)} ${quote(password)}`,
          url: url.href,
        };
      },
      ready: "process up",
    },
    options,
  );
}

function quote(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}
