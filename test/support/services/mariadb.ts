import { mariadbMissing, startMariadb } from "../../../servers/mariadb.ts";
import { mysqlService } from "./mysql-service.ts";
import type { Service } from "./service.ts";

export const mariadb: Service = {
  ...mysqlService("MariaDB", startMariadb),
  missing: mariadbMissing,
  variable: "EIGHTYSIX_TEST_MARIADB_URL",
  drivers: ["mysql2", "mariadb"],
  environment: (url) => ({ MARIADB_URL: url }),
};
