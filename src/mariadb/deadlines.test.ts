import { describeDeadlines } from "../../test/support/mysql/deadlines.ts";
import { mariadbOn } from "../../test/support/mysql/driver.ts";
import { testServers } from "../../test/support/mysql/servers.ts";

for (const server of testServers) describeDeadlines(mariadbOn(server));
