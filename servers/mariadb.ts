import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { installed, lines, missing, type Programs } from "./installed.ts";
import { startServer, type Server, type ServerOptions } from "./server.ts";

/** A running MariaDB with an empty database `test`. */
export interface MariadbServer extends Server {
  /** The path of its Unix socket. A client cannot use a path longer than about 100 bytes. */
  readonly socketPath: string;
  /** The certificate for `localhost` and 127.0.0.1 that clients must trust. Only with `tls`. */
  readonly certificate?: string;
}

export interface MariadbOptions extends ServerOptions {
  /** Variables of the [mariadbd] section. They replace or extend the defaults below. */
  settings?: Readonly<Record<string, string | number>>;
  /** Whether clients may use TLS. Needs openssl, which creates a certificate. */
  tls?: boolean;
  /** Whether the server starts again, with its data, when it is sent SHUTDOWN. */
  restarts?: boolean;
}

const programs: Programs = {
  server: "MariaDB",
  variable: "EIGHTYSIX_TEST_MARIADB",
  debian: "mariadb-server",
  otherwise: "Tests take a running one too: EIGHTYSIX_TEST_MARIADB_URL.",
};

/** Returns why MariaDB cannot be started on this machine and what to do, or `undefined` if it can. */
export function mariadbMissing(): string | undefined {
  return missing(programs, "mariadb-install-db", "mysql_install_db");
}

const script = `
install=$1 server=$2 tls=$3 restarts=$4 password=$config
unset config
shift 4
printf '%s\\n' "[mysqld]" "$@" >"$dir/my.cnf"
cat >"$dir/init.sql" <<END
create database if not exists test;
delete from mysql.global_priv where User in ('', 'root') and Host <> 'localhost';
flush privileges;
alter user root@localhost identified by '$password';
create user root@'%' identified by '$password';
grant all on *.* to root@'%' with grant option;
END
if [ "$tls" = tls ]; then
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \\
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \\
    -keyout "$dir/server.key" -out "$dir/server.crt" || exit
fi
"$install" --defaults-file="$dir/my.cnf" --auth-root-authentication-method=normal \\
  --skip-test-db || exit
if [ "$restarts" = restarts ]; then
  while "$server" --defaults-file="$dir/my.cnf" --init-file="$dir/init.sql"; do :; done
  exit
fi
exec "$server" --defaults-file="$dir/my.cnf" --init-file="$dir/init.sql"
`;

// No data has to survive a crash.
const defaults = {
  bind_address: "127.0.0.1",
  skip_name_resolve: 1,
  innodb_flush_log_at_trx_commit: 0,
  innodb_flush_method: "nosync",
  innodb_use_native_aio: 0, // the kernel's limit can be used up
  innodb_buffer_pool_size: "64M",
  innodb_log_file_size: "16M",
};

/** Starts the machine's `mariadbd`. See `startServer`. */
export async function startMariadb(options: MariadbOptions = {}): Promise<MariadbServer> {
  const server = await startServer(
    {
      name: "MariaDB",
      user: "mysql",
      elsewhere: "Set EIGHTYSIX_TEST_MARIADB_URL to the URL of a running one.",
      script,
      prepare({ directory, port }) {
        const password = randomBytes(12).toString("hex");
        const settings = {
          ...{ ...defaults, port, datadir: join(directory, "data"), tmpdir: directory },
          // Relative to the data directory: mariadbd does not start if the path is too long.
          socket: SOCKET,
          ...(options.tls && {
            ssl_key: join(directory, "server.key"),
            ssl_cert: join(directory, "server.crt"),
          }),
          ...options.settings,
        };
        return {
          args: [
            installed(programs, "mariadb-install-db", "mysql_install_db"),
            installed(programs, "mariadbd", "mysqld"),
            options.tls ? "tls" : "",
            options.restarts ? "restarts" : "",
            ...lines(settings, "="),
          ],
          config: password,
          url: `mysql://root:${password}@127.0.0.1:${port}/test`,
        };
      },
      ready: "ready for connections",
    },
    options,
  );
  const socketPath = join(server.directory, "data", SOCKET);
  if (!options.tls) return { ...server, socketPath };
  const certificate = await readFile(join(server.directory, "server.crt"), "utf8");
  return { ...server, socketPath, certificate };
}

const SOCKET = "mariadb.sock";
