import { mariadbOn } from "../../test/support/mysql/driver.ts";
import { describeWeather } from "../../test/support/mysql/weather.ts";
import { testServers } from "../../test/support/mysql/servers.ts";

for (const server of testServers) describeWeather(mariadbOn(server));
