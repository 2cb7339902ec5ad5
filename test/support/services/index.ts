/** The servers of the tests. Each has a file that describes it, and one line here. */
export { mariadb } from "./mariadb.ts";
export { mysql } from "./mysql.ts";
export { nats } from "./nats.ts";
export { pgbouncer } from "./pgbouncer.ts";
export { pgpool } from "./pgpool.ts";
export { postgres } from "./postgres.ts";
export { redis } from "./redis.ts";
