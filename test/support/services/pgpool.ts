import { pgpoolMissing } from "../../../servers/pgpool.ts";
import type { Program } from "./service.ts";

export const pgpool: Program = {
  name: "pgpool-II",
  missing: pgpoolMissing,
};
