import { installed, lines, missing, type Programs } from "./installed.ts";
import { startServer, type Server, type ServerOptions } from "./server.ts";

/** A running PgBouncer. Its URL differs from the URL of its target in the port only. */
export type PgbouncerServer = Server;

export interface PgbouncerOptions extends ServerOptions {
  /**
   * The URL of the PostgreSQL behind it. Clients give its user and password to PgBouncer, too.
   */
  target: string;
  /** When a server connection returns to the pool. Default: "transaction". */
  poolMode?: "session" | "transaction" | "statement";
  /** Parameters of the [pgbouncer] section. They replace or extend the defaults below. */
  settings?: Readonly<Record<string, string | number>>;
}

const programs: Programs = {
  server: "PgBouncer",
  variable: "EIGHTYSIX_TEST_PGBOUNCER",
  debian: "pgbouncer",
};

/** Returns why PgBouncer cannot be started on this machine and what to do, or `undefined` if it can. */
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

/** Starts the machine's `pgbouncer`. See `startServer`. */
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
          // "trust" would let every user of the machine in, as the server's superuser.
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
