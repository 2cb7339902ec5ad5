/** @type {import("./mutant.ts").Group} */
export const group = {
  needsServers: false,
  mutants: [
    {
      name: "the buffer of a stream closes before its source has ended",
      file: "src/adapter/row-buffer.ts",
      find: "while (this.#end === undefined) await this.#changed();",
      replace: "",
      tests: ["src/adapter/row-buffer.test.ts"],
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
