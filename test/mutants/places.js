// The parts of the adapters that need neither a server nor an engine.

/** @type {import("./mutant.ts").Group} */
export const group = {
  needsServers: false,
  mutants: [
    {
      name: "a place that is given back is lost",
      file: "src/adapter/places.ts",
      find: "    this.#free++;\n",
      replace: "",
      tests: ["src/testing/conformance/toy.test.ts"],
    },
    {
      name: "a place goes to a waiter whose context has ended",
      file: "src/adapter/places.ts",
      find: "if (!waiter.unregister()) continue;",
      replace: "waiter.unregister();",
      tests: ["src/testing/conformance/toy.test.ts"],
    },
    {
      name: "a waiter stays in the queue after its context ended",
      file: "src/adapter/places.ts",
      find: "        this.#waiting.delete(waiter);\n        reject(err);",
      replace: "        reject(err);",
      tests: ["src/testing/conformance/toy.test.ts"],
    },
    {
      name: "a waiter does not notice the end of its context",
      file: "src/adapter/places.ts",
      find: "        this.#waiting.delete(waiter);\n        reject(err);",
      replace: "        this.#waiting.delete(waiter);\n        setTimeout(reject, 1_000, err);",
      tests: ["src/testing/conformance/toy.test.ts"],
    },
    {
      name: "the buffer of a stream closes before its source has ended",
      file: "src/adapter/row-buffer.ts",
      find: "while (this.#end === undefined) await this.#changed();",
      replace: "",
      tests: ["src/testing/conformance/toy.test.ts"],
    },
    {
      name: "the buffer of a stream hides the error of its source",
      file: "src/adapter/row-buffer.ts",
      find: 'if ("error" in this.#end) throw this.#end.error;',
      replace: "",
      tests: ["src/testing/conformance/toy.test.ts"],
    },
  ],
};
