/** The tests that `npm run mutation` runs for each change of the source. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/adapter/**/*.test.ts"],
    // These test none of the mutated files. One collects garbage, which Stryker's threads cannot.
    exclude: [
      "src/adapter/wrong-driver.test.ts",
      "src/adapter/orm/**",
      "src/adapter/postgresql/cancel-places.test.ts",
    ],
    globalSetup: ["test/support/temporary-directory.ts"],
    testTimeout: 5_000,
  },
});
