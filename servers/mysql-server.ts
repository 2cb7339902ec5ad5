/** Starts a MySQL or a MariaDB. Their programs and a few settings differ. */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { lines } from "./installed.ts";
import { startServer, type Recipe, type Server, type ServerOptions } from "./server.ts";

/** A running MySQL or MariaDB with an empty database `test`. */
export interface MysqlServer extends Server {
  /** The path of its Unix socket. A client cannot use a path longer than about 100 bytes. */
  readonly socketPath: string;
  /** The certificate for `localhost` and 127.0.0.1 that clients must trust. Only with `tls`. */
  readonly certificate?: string;
}

export interface MysqlOptions extends ServerOptions {
  /** The server's variables. They replace or extend the defaults. */
  settings?: Readonly<Record<string, string | number>>;
  /** Whether the server has a certificate of its own. Needs openssl, which creates it. */
  tls?: boolean;
  /** Whether the server starts again, with its data, when it is sent SHUTDOWN. */
  restarts?: boolean;
}

/** What differs between MySQL and MariaDB. */
export interface MysqlKind extends Pick<Recipe, "name" | "elsewhere"> {
  /** Returns the paths of the program that creates the data, and of the server. Throws if one is missing. */
  readonly programs: () => readonly [install: string, server: string];
  /** The shell command that creates the data with "$install" and the settings in "$dir/my.cnf". */
  readonly install: string;
  /** SQL that removes the accounts that `install` creates in addition to root@localhost. One statement per line. */
  readonly removeAccounts?: string;
  readonly settings: Readonly<Record<string, string | number>>;
}

// No data has to survive a crash.
const defaults = {
  bind_address: "127.0.0.1",
  skip_name_resolve: 1,
  innodb_flush_log_at_trx_commit: 0,
  innodb_flush_method: "nosync",
  innodb_use_native_aio: 0, // the kernel's limit can be used up
  innodb_buffer_pool_size: "64M",
};

/** Relative to the data directory: the server does not start if the path is too long. */
const SOCKET = "server.sock";

/** Starts a server of this kind. See `startServer`. */
export async function startMysqlServer(
  kind: MysqlKind,
  { tls = false, restarts = false, settings, ...options }: MysqlOptions = {},
): Promise<MysqlServer> {
  const server = await startServer(
    {
      ...{ name: kind.name, elsewhere: kind.elsewhere, user: "mysql" },
      script: scriptOf(kind),
      prepare({ directory, port }) {
        const password = randomBytes(12).toString("hex");
        const places = { datadir: join(directory, "data"), tmpdir: directory, socket: SOCKET };
        const key = { ssl_key: join(directory, "server.key"), ssl_cert: certificateIn(directory) };
        const all = {
          ...{ ...defaults, ...kind.settings, ...places, port },
          ...(tls && key),
          ...settings,
        };
        return {
          args: [
            ...kind.programs(),
            tls ? "tls" : "",
            restarts ? "restarts" : "",
            ...lines(all, "="),
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
  if (!tls) return { ...server, socketPath };
  return {
    ...server,
    socketPath,
    certificate: await readFile(certificateIn(server.directory), "utf8"),
  };
}

const certificateIn = (directory: string): string => join(directory, "server.crt");

const scriptOf = ({ install, removeAccounts = "" }: MysqlKind): string => `
install=$1 server=$2 tls=$3 restarts=$4 password=$config
unset config
shift 4
printf '%s\\n' "[mysqld]" "$@" >"$dir/my.cnf"
cat >"$dir/init.sql" <<END
create database if not exists test;
${removeAccounts}
alter user root@localhost identified by '$password';
create user if not exists root@'%' identified by '$password';
grant all on *.* to root@'%' with grant option;
END
if [ "$tls" = tls ]; then
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \\
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \\
    -keyout "$dir/server.key" -out "$dir/server.crt" || exit
fi
${install} || exit
if [ "$restarts" = restarts ]; then
  while "$server" --defaults-file="$dir/my.cnf" --init-file="$dir/init.sql"; do :; done
  exit
fi
exec "$server" --defaults-file="$dir/my.cnf" --init-file="$dir/init.sql"
`;
