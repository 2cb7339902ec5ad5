import { mariadbDriver } from "../../test/support/mysql/driver.ts";
import { describeRace } from "../../test/support/mysql/race.ts";

describeRace(mariadbDriver);
