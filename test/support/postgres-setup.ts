/** One PostgreSQL for all test files of a run: `EIGHTYSIX_TEST_POSTGRES_URL`, or one of our own. */
import type { TestProject } from "vitest/node";
import { startPostgres } from "../../servers/postgres.ts";

declare module "vitest" {
  interface ProvidedContext {
    postgresUrl: string;
  }
}

export default async function setUp(
  project: TestProject,
): Promise<(() => Promise<void>) | undefined> {
  const url = process.env["EIGHTYSIX_TEST_POSTGRES_URL"];
  if (url !== undefined && url !== "") {
    project.provide("postgresUrl", url);
    return undefined;
  }
  const server = await startPostgres();
  project.provide("postgresUrl", server.url);
  return () => server.stop();
}
