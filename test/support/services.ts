/**
 * Leases the servers that all test files of a run share, before the run, and gives them back after it.
 * services/index.ts lists them, services/service.ts says where they come from, and server.ts tells a
 * test of them.
 *
 * If a server is missing and CI is set, the run fails. Without CI, the tests that need the server are
 * skipped, and the last lines of the output say which and what to do.
 */
import type { TestProject } from "vitest/node";
import * as services from "./services/index.ts";
import { leaseAll } from "./services/service.ts";

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const { urls, missing, end } = await leaseAll(services);
  project.provide("serverUrls", urls);
  project.provide("missingServers", missing);
  return end;
}
