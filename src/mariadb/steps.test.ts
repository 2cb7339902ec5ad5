import { mariadbDriver } from "../../test/support/mysql/driver.ts";
import { describeSteps } from "../../test/support/mysql/steps.ts";

describeSteps(mariadbDriver);
