/** What becomes of a statement that KILL QUERY hits in an unusual moment, with mariadb. */
import { mariadbOn } from "../../test/support/mysql/driver.ts";
import { describeKilled } from "../../test/support/mysql/killed.ts";
import { testServers } from "../../test/support/mysql/servers.ts";

for (const server of testServers) describeKilled(mariadbOn(server));
