import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/adapter/**/*.test.ts"],
    globalSetup: ["test/support/temporary-directory.ts"],
    testTimeout: 5_000,
  },
});
