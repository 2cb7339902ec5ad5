/** What a pool's connection hands to the next caller. */
import { mysql2On } from "../../test/support/mysql/driver.ts";
import { describeSessionState } from "../../test/support/mysql/session-state.ts";
import { testServers } from "../../test/support/mysql/servers.ts";

for (const server of testServers) describeSessionState(mysql2On(server));
