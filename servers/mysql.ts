import { execFileSync } from "node:child_process";
import { installed, missing, type Programs } from "./installed.ts";
import { startMysqlServer, type MysqlOptions, type MysqlServer } from "./mysql-server.ts";

const programs: Programs = {
  server: "MySQL",
  variable: "EIGHTYSIX_TEST_MYSQL",
  debian: "mysql-server-core",
  otherwise:
    "On any Debian, `.ci/mysql <folder>` puts it into <folder>/bin. " +
    "Tests take a running one too: EIGHTYSIX_TEST_MYSQL_URL.",
  // MariaDB's packages have a program of that name, too.
  isRight: (path) => !execFileSync(path, ["--version"], { encoding: "utf8" }).includes("MariaDB"),
};

/** Returns why MySQL cannot be started on this machine and what to do, or `undefined` if it can. */
export function mysqlMissing(): string | undefined {
  return missing(programs, "mysqld");
}

/** Starts the machine's `mysqld`. See `startServer`. */
export function startMysql(options?: MysqlOptions): Promise<MysqlServer> {
  return startMysqlServer(
    {
      name: "MySQL",
      elsewhere: "Set EIGHTYSIX_TEST_MYSQL_URL to the URL of a running one.",
      programs: () => [installed(programs, "mysqld"), installed(programs, "mysqld")],
      install: `"$install" --defaults-file="$dir/my.cnf" --initialize-insecure`,
      settings: {
        innodb_redo_log_capacity: "32M",
        skip_log_bin: 1,
        mysqlx: "OFF",
        secure_file_priv: "",
      },
    },
    options,
  );
}
