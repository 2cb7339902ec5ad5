/** What a pool's connection hands to the next caller. */
import { mariadbDriver } from "../../test/support/mysql/driver.ts";
import { describeSessionState } from "../../test/support/mysql/session-state.ts";

describeSessionState(mariadbDriver);
