/** What becomes of a statement that KILL QUERY hits in an unusual moment, with mysql2. */
import { mysql2On } from "../../test/support/mysql/driver.ts";
import { describeKilled } from "../../test/support/mysql/killed.ts";
import { testServers } from "../../test/support/mysql/servers.ts";

for (const server of testServers) describeKilled(mysql2On(server));
