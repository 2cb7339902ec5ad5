import { mysqlMissing, startMysql } from "../../../servers/mysql.ts";
import { mysqlService } from "./mysql-service.ts";
import type { Service } from "./service.ts";

export const mysql: Service = {
  ...mysqlService("MySQL", startMysql),
  missing: mysqlMissing,
  isOptional: true, // no stable Debian has it
  variable: "EIGHTYSIX_TEST_MYSQL_URL",
  drivers: [], // programs get MariaDB
  environment: (url) => ({ MYSQL_URL: url }),
};
