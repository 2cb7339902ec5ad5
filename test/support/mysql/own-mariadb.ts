/** Servers of a test's own, which it may restart. */
import { mariadbMissing, startMariadb } from "../../../servers/mariadb.ts";
import type { Servers } from "./same-server.ts";

export const ownMariadb: Servers = {
  name: "MariaDB",
  missing: mariadbMissing,
  start: () => startMariadb({ restarts: true }),
};
