import { describeProcess } from "../../test/support/mysql/process.ts";

describeProcess("mysql2");
