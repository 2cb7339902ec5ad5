/** All drivers, in the order of the tables. */
import type { Driver } from "../driver.ts";
import { duckdb } from "./duckdb.ts";
import { ioredis } from "./ioredis.ts";
import { libsql } from "./libsql.ts";
import { mariadb } from "./mariadb.ts";
import { mysql2 } from "./mysql2.ts";
import { pg } from "./pg.ts";
import { postgres } from "./postgres.ts";
import { redis } from "./redis.ts";

export const drivers: readonly Driver[] = [
  pg,
  postgres,
  mysql2,
  mariadb,
  redis,
  ioredis,
  duckdb,
  libsql,
];
