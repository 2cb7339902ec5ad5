/**
 * The servers that all test files of a run share. services/service.ts says where they come from.
 *
 * If a server is missing and CI is set, the run fails. Without CI, the tests that need the server are
 * skipped, and the last lines of the output say which and what to do. PostgreSQL is always needed. It
 * comes with the packages.
 */
import type { TestProject } from "vitest/node";
import { pgbouncerMissing } from "../../servers/pgbouncer.ts";
import { mariadb } from "./services/mariadb.ts";
import { postgres } from "./services/postgres.ts";
import { redis } from "./services/redis.ts";
import { lease } from "./services/service.ts";

declare module "vitest" {
  interface ProvidedContext {
    postgresUrl: string;
    /** `undefined` if there is no MariaDB. */
    mariadbUrl: string | undefined;
    redisUrl: string | undefined;
    /** One text for each server that is missing: which, and what to do. */
    missingServers: string[];
  }
}

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const services = [postgres, mariadb, redis] as const;
  const missing: string[] = [];
  const leases = await Promise.all(
    services.map((service) =>
      lease(service).catch((error: unknown) => {
        missing.push(`${service.name}: ${error instanceof Error ? error.message : String(error)}`);
        return undefined;
      }),
    ),
  );
  const tearDown = async (): Promise<void> => {
    for (const held of leases) await held?.end();
  };
  const noPgbouncer = pgbouncerMissing();
  if (noPgbouncer !== undefined) missing.push(`PgBouncer: ${noPgbouncer}`);
  const [postgresLease, mariadbLease, redisLease] = leases;
  if (postgresLease === undefined || (process.env["CI"] && missing.length > 0)) {
    await tearDown();
    throw new Error(`The tests need servers that are missing.\n${missing.join("\n")}`);
  }
  project.provide("postgresUrl", postgresLease.url);
  project.provide("mariadbUrl", mariadbLease?.url);
  project.provide("redisUrl", redisLease?.url);
  project.provide("missingServers", missing);
  return tearDown;
}
