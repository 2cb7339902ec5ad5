/** Which thread a KILL reaches, with mariadb. */
import { mariadbOn } from "../../test/support/mysql/driver.ts";
import { describeSameServer } from "../../test/support/mysql/same-server.ts";
import { testServers } from "../../test/support/mysql/servers.ts";

for (const server of testServers) describeSameServer(mariadbOn(server));
