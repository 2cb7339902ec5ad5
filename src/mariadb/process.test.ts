import { describeProcess } from "../../test/support/mysql/process.ts";

describeProcess("mariadb");
