/** What a pool's connection hands to the next caller. */
import { mysql2Driver } from "../../test/support/mysql/driver.ts";
import { describeSessionState } from "../../test/support/mysql/session-state.ts";

describeSessionState(mysql2Driver);
