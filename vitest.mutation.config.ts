/** The tests that `npm run mutation` runs for each change of the source. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/adapter/**/*.test.ts"],
    exclude: ["src/adapter/wrong-driver.test.ts", "src/adapter/orm/**"], // test none of the mutated files
    globalSetup: ["test/support/temporary-directory.ts"],
    testTimeout: 5_000,
  },
});
