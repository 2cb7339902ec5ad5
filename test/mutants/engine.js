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
      tests: ["src/adapter/engine/interrupt.test.ts"],
    },
    {
      name: "an operation that has not begun is interrupted once, and goes on",
      file: "src/adapter/engine/interrupt.ts",
      find: "timer = setInterval(interrupt, INTERVAL);",
      replace: "",
      tests: ["src/adapter/engine/interrupt.test.ts"],
    },
    {
      name: "the next operation begins before the stopped one has ended",
      file: "src/adapter/engine/interrupt.ts",
      find: "void released.then(() => place.release());",
      replace: "place.release();",
      tests: ["src/adapter/engine/interrupt.test.ts"],
    },
    {
      name: "interrupts end at the stop timeout although the operation goes on",
      file: "src/adapter/engine/interrupt.ts",
      find: "timer = setInterval(interrupt, INTERVAL_AFTER_TIMEOUT).unref();",
      replace: "",
      tests: ["src/adapter/engine/interrupt.test.ts"],
    },
    {
      name: "the error of another mistake is replaced by the context's error",
      file: "src/adapter/engine/interrupt.ts",
      find: "isStop: (error) => operation.isInterrupt(error),",
      replace: "isStop: () => true,",
      tests: ["src/adapter/engine/interrupt.test.ts"],
    },
    {
      name: "an engine's transaction commits although its context has ended",
      file: "src/adapter/engine/session.ts",
      find: "        throwIfDone(ctx);\n        await this.checkCommit();\n        throwIfDone(ctx);",
      replace: "        await this.checkCommit();",
      tests: ["src/adapter/engine/session.test.ts"],
    },
    {
      name: "an engine's session keeps its place",
      file: "src/adapter/engine/session.ts",
      find: "    this.#place.release();\n    turn.release();",
      replace: "    turn.release();",
      tests: ["src/adapter/engine/session.test.ts"],
    },
  ],
};
