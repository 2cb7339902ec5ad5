import { mariadbDriver } from "../../test/support/mysql/driver.ts";
import { describeWeather } from "../../test/support/mysql/weather.ts";

describeWeather(mariadbDriver);
