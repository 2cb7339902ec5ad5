import { pgbouncerMissing } from "../../../servers/pgbouncer.ts";
import type { Program } from "./service.ts";

export const pgbouncer: Program = {
  name: "PgBouncer",
  missing: pgbouncerMissing,
};
