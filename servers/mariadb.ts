import { installed, missing, type Programs } from "./installed.ts";
import { startMysqlServer, type MysqlOptions, type MysqlServer } from "./mysql-server.ts";

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

/** Starts the machine's `mariadbd`. See `startServer`. */
export function startMariadb(options?: MysqlOptions): Promise<MysqlServer> {
  return startMysqlServer(
    {
      name: "MariaDB",
      elsewhere: "Set EIGHTYSIX_TEST_MARIADB_URL to the URL of a running one.",
      programs: () => [
        installed(programs, "mariadb-install-db", "mysql_install_db"),
        installed(programs, "mariadbd", "mysqld"),
      ],
      install: `"$install" --defaults-file="$dir/my.cnf" --auth-root-authentication-method=normal --skip-test-db`,
      removeAccounts: `delete from mysql.global_priv where User in ('', 'root') and Host <> 'localhost';\nflush privileges;`,
      settings: { innodb_log_file_size: "16M" },
    },
    options,
  );
}
