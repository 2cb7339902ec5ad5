import { mysql2Driver } from "../../test/support/mysql/driver.ts";
import { describeWeather } from "../../test/support/mysql/weather.ts";

describeWeather(mysql2Driver);
