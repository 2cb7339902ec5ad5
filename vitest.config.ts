import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const src = fileURLToPath(new URL("./src", import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: /^eightysix$/, replacement: `${src}/index.ts` },
      { find: /^eightysix\/(.+)$/, replacement: `${src}/$1/index.ts` },
    ],
  },
  test: {
    testTimeout: 60_000, // ends a test that hangs; a test that measures time has its own limit
    hookTimeout: 60_000,
    include: ["{src,test,demo,examples,bench,servers}/**/*.test.ts"],
    exclude: ["test/fixtures/**", "test/runtimes/**"], // npm run runtimes runs these
    globalSetup: ["./test/support/temporary-directory.ts", "./test/support/services.ts"],
    reporters: ["default", "./test/reporter.ts"],
    maxWorkers: availableParallelism() + 1, // most tests wait
    pool: "forks", // the only pool that takes execArgv
    execArgv: ["--expose-gc"], // tests that count what is left behind collect garbage first
    coverage: { include: ["src/**"], exclude: ["**/*.test.ts"] },
  },
});
