/** Which thread a KILL reaches, with mariadb. */
import { mariadbDriver } from "../../test/support/mysql/driver.ts";
import { ownMariadb } from "../../test/support/mysql/own-mariadb.ts";
import { describeSameServer } from "../../test/support/mysql/same-server.ts";

describeSameServer(mariadbDriver, ownMariadb);
