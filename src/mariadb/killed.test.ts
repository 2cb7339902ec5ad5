/** What becomes of a statement that KILL QUERY hits in an unusual moment. */
import { describeMariadb, mariadbUrl } from "../../test/support/mariadb.ts";
import { mariadbDriver } from "../../test/support/mysql/driver.ts";
import { describeKilled } from "../../test/support/mysql/killed.ts";

describeKilled(mariadbDriver, { describe: describeMariadb, url: mariadbUrl });
