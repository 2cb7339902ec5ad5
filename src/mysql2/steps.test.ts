import { mysql2Driver } from "../../test/support/mysql/driver.ts";
import { describeSteps } from "../../test/support/mysql/steps.ts";

describeSteps(mysql2Driver);
