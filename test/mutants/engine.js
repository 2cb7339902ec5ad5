// Engines inside this process, which can only be interrupted.

/** @type {import("./mutant.ts").Group} */
export const group = {
  needsServers: false,
  mutants: [
    {
      name: "interrupts go on while the resource is released",
      file: "src/adapter/engine/interrupt.ts",
      find: "      inUse = undefined;\n      await operation.release(resource, wasStopped);",
      replace: "      await operation.release(resource, wasStopped);\n      inUse = undefined;",
      tests: [
        "src/duckdb/index.test.ts > a transaction",
        "src/libsql/index.test.ts > a transaction",
      ],
    },
    {
      name: "an operation that has not begun is interrupted once, and goes on",
      file: "src/adapter/engine/interrupt.ts",
      find: "timer = setInterval(interrupt, INTERVAL);",
      replace: "",
      tests: ["src/libsql/index.test.ts > stops even if its context ends before"],
    },
    {
      name: "the next operation begins before the stopped one has ended",
      file: "src/adapter/engine/interrupt.ts",
      find: "void released.then(() => places.give());",
      replace: "places.give();",
      tests: ["src/libsql/index.test.ts > if the engine ignores its interrupts"],
    },
    {
      name: "interrupts end at the stop timeout although the operation goes on",
      file: "src/adapter/engine/interrupt.ts",
      find: "timer = setInterval(interrupt, INTERVAL_AFTER_TIMEOUT).unref();",
      replace: "",
      tests: ["src/libsql/index.test.ts > if the engine ignores its interrupts"],
    },
    {
      name: "the error of another mistake is replaced by the context's error",
      file: "src/adapter/engine/interrupt.ts",
      find: "isStop: (error) => operation.isInterrupt(error),",
      replace: "isStop: () => true,",
      tests: ["src/duckdb/index.test.ts", "src/libsql/index.test.ts"],
    },
    {
      name: "an engine's transaction commits although its context has ended",
      file: "src/adapter/engine/session.ts",
      find: "        throwIfDone(ctx);\n        await this.checkCommit();\n        throwIfDone(ctx);",
      replace: "        await this.checkCommit();",
      tests: [
        "src/libsql/index.test.ts > a transaction",
        "src/duckdb/index.test.ts > a transaction",
      ],
    },
    {
      name: "an engine's session keeps its place",
      file: "src/adapter/engine/session.ts",
      find: "    this.#source.places.give();\n    this.turns.places.give();",
      replace: "    this.turns.places.give();",
      tests: ["src/libsql/index.test.ts > commits the changes of its function"],
    },
  ],
};
