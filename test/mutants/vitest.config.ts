/**
 * How `npm run mutants` runs tests: in one process, without servers if the tests need none, and with
 * time limits that are shorter than its own.
 */
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import all from "../../vitest.config.ts";

const needsServers = process.env["EIGHTYSIX_MUTANTS_SERVERS"] === "1";

export default defineConfig({
  ...all,
  root: fileURLToPath(new URL("../..", import.meta.url)),
  test: {
    ...all.test,
    ...(!needsServers && { globalSetup: ["./test/support/temporary-directory.ts"] }),
    // A test that fails leaves connections behind, and its clean-up may wait for them for ever.
    testTimeout: 12_000,
    hookTimeout: 4_000,
    bail: 1, // one failure is enough
    isolate: false,
    fileParallelism: false,
  },
});
