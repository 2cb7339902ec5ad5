import { mysql2On } from "../../test/support/mysql/driver.ts";
import { describeRace } from "../../test/support/mysql/race.ts";
import { testServers } from "../../test/support/mysql/servers.ts";

for (const server of testServers) describeRace(mysql2On(server));
