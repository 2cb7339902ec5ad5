/** The tests that run on every runtime: all that need no database. `npm run runtimes` uses it. */
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import base from "../../vitest.config.ts";
import { pattern, runtime } from "./exceptions.ts";

const folders = "core,tasks,work,testing,wire,current,http,fetch,express,fastify,koa,hono,web";
const which = process.env["EIGHTYSIX_TEST_EXCEPTIONS"] ? "exceptions" : "others";
const testNamePattern = pattern(which);

export default defineConfig({
  ...base,
  root: fileURLToPath(new URL("../..", import.meta.url)),
  test: {
    ...base.test,
    include: [
      `src/{${folders}}/**/*.test.ts`,
      ...(runtime === "node" ? [] : ["test/runtimes/*.test.ts"]),
    ],
    exclude: ["src/testing/conformance/**"], // for Node only
    globalSetup: ["./test/support/temporary-directory.ts"],
    ...(testNamePattern && { testNamePattern }),
  },
});
