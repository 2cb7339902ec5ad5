import { mysql2Driver } from "../../test/support/mysql/driver.ts";
import { describeRace } from "../../test/support/mysql/race.ts";

describeRace(mysql2Driver);
