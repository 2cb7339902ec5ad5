/** The tests that start no server: `npm run test:unit`, for a quick look while you work. */
import { defineConfig } from "vitest/config";
import all from "./vitest.config.ts";

export default defineConfig({
  ...all,
  test: {
    ...all.test,
    globalSetup: ["./test/support/temporary-directory.ts"],
    isolate: false, // half of the time is the start of a process for each file
    include: [
      "src/{core,tasks,work,wire,current,testing,adapter,web}/**/*.test.ts",
      "src/http/{admission,respond}/**/*.test.ts",
      "src/fetch/{outgoing,interceptor,request-init,platforms}.test.ts",
      "test/{imports,exports}.test.ts",
      "bench/**/*.test.ts",
    ],
    exclude: ["src/testing/conformance/**"], // a minute, mostly waiting
  },
});
