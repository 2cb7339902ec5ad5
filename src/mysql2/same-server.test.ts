/** Which thread a KILL reaches, with mysql2. */
import { mysql2On } from "../../test/support/mysql/driver.ts";
import { describeSameServer } from "../../test/support/mysql/same-server.ts";
import { testServers } from "../../test/support/mysql/servers.ts";

for (const server of testServers) describeSameServer(mysql2On(server));
