/** All drivers, in the order of the tables. */
import type { Driver } from "../driver.ts";
import { duckdb } from "./duckdb.ts";
import { ioredis } from "./ioredis.ts";
import { libsql } from "./libsql.ts";
import { mariadbOn } from "./mariadb.ts";
import { mysql2On } from "./mysql2.ts";
import { pg } from "./pg.ts";
import { postgres } from "./postgres.ts";
import { redis } from "./redis.ts";

export const drivers: readonly Driver[] = [
  pg,
  postgres,
  mysql2On("mariadb"),
  mysql2On("mysql"),
  mariadbOn("mariadb"),
  mariadbOn("mysql"),
  redis,
  ioredis,
  duckdb,
  libsql,
];
