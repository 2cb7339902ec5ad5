// What the option `onDisconnect` does.

const tests = ["src/koa/index.test.ts > Koa 3 over HTTP/1.1 the option `onDisconnect`"];

/** @type {import("./mutant.ts").Group} */
export const group = {
  needsServers: false,
  mutants: [
    {
      name: "a route that continues loses the values of the outer context",
      file: "src/http/framework.ts",
      find: "const ctx = withValuesOf(seen === tracked.ctx ? undefined : seen, ended);",
      replace: "const ctx = ended;",
      tests,
    },
    {
      name: "a request that continues is canceled when its client disconnects",
      file: "src/http/request/continuing-request.ts",
      find: "this.#scope = merge(withoutCancel(own), ...above);",
      replace: "this.#scope = merge(own, ...above);",
      tests,
    },
    {
      name: "the answer of a request that continues keeps its context for ever",
      file: "src/http/request/tracked-request.ts",
      find: "    this.doneResponse?.forget();\n    if (isDisconnected) {",
      replace: "    if (!isDisconnected) this.doneResponse?.forget();\n    if (isDisconnected) {",
      tests,
    },
    {
      name: "a client that has disconnected is not recorded with 499",
      file: "src/http/respond/mark-as-gone.ts",
      find: "  res.statusCode = 499;",
      replace: "",
      tests: ["src/http/respond/mark-as-gone.test.ts > the status 499 from then on"],
    },
  ],
};
