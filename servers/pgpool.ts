import { installed, lines, missing, type Programs } from "./installed.ts";
import { startServer, type Server, type ServerOptions } from "./server.ts";

/** A running pgpool-II. Its URL differs from the URL of its target in the port only. */
export type PgpoolServer = Server;

export interface PgpoolOptions extends ServerOptions {
  /**
   * The URL of the PostgreSQL behind it. Clients give its user and password to pgpool-II, too.
   */
  target: string;
  /** Parameters of pgpool.conf. They replace or extend the defaults below. */
  settings?: Readonly<Record<string, string | number>>;
}

const programs: Programs = {
  server: "pgpool-II",
  variable: "EIGHTYSIX_TEST_PGPOOL",
  debian: "pgpool2",
};

/** Returns why pgpool-II cannot be started on this machine and what to do, or `undefined` if it can. */
export function pgpoolMissing(): string | undefined {
  return missing(programs, "pgpool");
}

const script = `
pgpool=$1 auth=$2
shift 2
printf '%s\\n' "$config" >"$dir/pool_passwd"
unset config
printf '%s\\n' "host all all 127.0.0.1/32 $auth" >"$dir/pool_hba.conf"
printf '%s\\n' "$@" >"$dir/pgpool.conf"
: >"$dir/pcp.conf"
cd "$dir" && exec "$pgpool" -n -f "$dir/pgpool.conf" -a "$dir/pool_hba.conf" -F "$dir/pcp.conf"
`;

/** Starts the machine's `pgpool`, which keeps no connection to its target. See `startServer`. */
export function startPgpool(options: PgpoolOptions): Promise<PgpoolServer> {
  const target = new URL(options.target);
  const [user, password] = [target.username, target.password].map(decodeURIComponent) as [
    string,
    string,
  ];
  return startServer(
    {
      name: "pgpool-II",
      user: "postgres",
      elsewhere: "Start it by hand.",
      script,
      // A pgpool-II that is killed leaves shared memory and semaphores on the machine.
      signal: "QUIT",
      prepare({ directory, port }) {
        const settings = {
          ...{ listen_addresses: "127.0.0.1", port, pcp_listen_addresses: "" },
          ...{ backend_clustering_mode: "raw", load_balance_mode: "off" },
          ...{ backend_hostname0: target.hostname, backend_port0: target.port || 5432 },
          ...{ backend_weight0: 1, backend_flag0: "DISALLOW_TO_FAILOVER" },
          ...{ num_init_children: 16, max_pool: 1, connection_cache: "off" },
          ...{ enable_pool_hba: "on", pool_passwd: "pool_passwd" },
          memqcache_total_size: 2 ** 20, // it is allocated even if it is off
          ...{ unix_socket_directories: directory, pcp_socket_dir: directory },
          ...{ wd_ipc_socket_dir: directory, logdir: directory },
          ...{ pid_file_name: `${directory}/pgpool.pid`, health_check_period: 0 },
          ...options.settings,
        };
        const quoted = Object.fromEntries(
          Object.entries(settings).map(([name, value]) => [name, `'${value}'`]),
        );
        const url = new URL(target);
        url.hostname = "127.0.0.1";
        url.port = String(port);
        return {
          args: [
            installed(programs, "pgpool"),
            // "trust" would let every user of the machine in, as the server's superuser.
            password === "" ? "trust" : "scram-sha-256",
            ...lines(quoted, " = "),
          ],
          config: `${user}:TEXT${password}`,
          url: url.href,
        };
      },
      ready: "pgpool-II successfully started",
    },
    options,
  );
}
