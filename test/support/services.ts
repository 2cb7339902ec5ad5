/**
 * The servers that all test files of a run share; see services/service.ts for where they come from.
 *
 * With CI set, a server that is missing fails the run. Elsewhere the tests that need it are
 * skipped, and the reporter's last lines say which, and what to do. PostgreSQL is always needed:
 * it comes with the packages.
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
    /** Undefined if there is none. */
    mariadbUrl: string | undefined;
    redisUrl: string | undefined;
    /** Which are missing, and what to do; one text each. */
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
