/** Which thread a KILL reaches, with mysql2. */
import { mysql2Driver } from "../../test/support/mysql/driver.ts";
import { ownMariadb } from "../../test/support/mysql/own-mariadb.ts";
import { describeSameServer } from "../../test/support/mysql/same-server.ts";

describeSameServer(mysql2Driver, ownMariadb);
