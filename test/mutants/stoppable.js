// One operation, from its start to the return of its resource: src/adapter/stoppable.ts and stopping.ts.

const file = "src/adapter/stoppable.ts";
const stopping = "src/adapter/stopping.ts";
/** Breaches that an adapter shows to its callers. */
const tests = ["src/testing/conformance/toy.test.ts"];
/** Breaches that only the adapter sees. */
const unit = ["src/adapter/stoppable.test.ts"];

/** @type {import("./mutant.ts").Group} */
export const group = {
  needsServers: false,
  mutants: [
    {
      ...{
        file,
        tests,
        name: "an operation that settles during its stop does not wait for the stop",
      },
      find: "      this.#stopping.onSettled();\n      return;",
      replace: "      this.#stopping.onSettled();\n      this.#finish();\n      return;",
    },
    {
      ...{ file, tests: unit, name: "the resource is released before the stop has ended" },
      find: "      this.#stopping.onSettled();\n      return;",
      replace:
        '      this.#stopping.onSettled();\n      this.#operation.release?.({ state: "stopped", proven: true });\n      return;',
    },
    {
      ...{ file, tests: unit, name: "the caller is released as soon as the stop has ended" },
      find: "      while (!this.#isSettled) {",
      replace: "      while (pause === undefined) {",
    },
    {
      ...{
        file,
        tests,
        name: "the context's error replaces the result of an operation that beat its stop",
      },
      find: "this.#resolveCaller(this.#value as T)",
      replace:
        "this.#stopping === undefined ? this.#resolveCaller(this.#value as T) : this.#rejectCaller(this.#ctx.err())",
    },
    {
      ...{ file, tests, name: "the context's error replaces an error that is no stop" },
      find: 'return { error: isStop === "unproven" ? err : error, provesStop: false };',
      replace: "return { error: err, provesStop: false };",
    },
    {
      ...{ file, tests, name: "the error of a stopped operation reaches its caller" },
      find: "if (isStop === true) return { error: err, provesStop: true };",
      replace: "if (isStop === true) return { error, provesStop: true };",
    },
    {
      ...{ file, tests, name: "the resource is not destroyed after the stop timeout" },
      find: '      callAdapter("destroy", () => this.#operation.destroy(reason));\n',
      replace: "      void reason;\n",
    },
    {
      ...{ file, tests: unit, name: "the error of the destruction becomes the outcome" },
      find: '      this.reject(this.#ctx.err(), { answered: false });\n      callAdapter("destroy", () => this.#operation.destroy(reason));\n',
      replace:
        '      callAdapter("destroy", () => this.#operation.destroy(reason));\n      for (let i = 0; i < 20; i++) await Promise.resolve();\n      this.reject(this.#ctx.err(), { answered: false });\n',
    },
    {
      ...{ file, tests, name: "an abandoned operation counts as stopped" },
      find: 'const state = this.#isAnswered ? "stopped" : "abandoned";',
      replace: 'const state = "stopped";',
    },
    {
      ...{ file, tests: unit, name: "the resource is never released" },
      find: "if (operation.release !== undefined) {",
      replace: "if (operation.release === null) {",
    },
    {
      ...{ file, tests: unit, name: "the resource is released after its caller has the result" },
      find: '      callAdapter("release", () => operation.release?.({ state, proven }));',
      replace:
        '      void sleep(background(), 5).then(() => callAdapter("release", () => operation.release?.({ state, proven })));',
    },
    {
      ...{ file, tests: unit, name: "an operation starts although its context is done" },
      find: "    throwIfDone(ctx);\n    new RunningOperation",
      replace: "    new RunningOperation",
    },
    {
      ...{ file, tests: unit, name: "an operation that has ended stays registered on its context" },
      find: "    this.unregister();\n",
      replace: "",
    },
    {
      ...{ file, tests: unit, name: "a stop that overtook its operation is not repeated" },
      find: "await Promise.race([stopping.settled, sleep(limit, pause)]);",
      replace: "await Promise.race([stopping.settled, timedOut]);",
    },
    {
      ...{
        file: stopping,
        tests: unit,
        name: "the stop is not told that the operation has settled",
      },
      find: "    this.#controller.abort(SETTLED);\n",
      replace: "",
    },
    {
      ...{
        file: stopping,
        tests: unit,
        name: "a stop that nothing has confirmed counts as proven",
      },
      find: 'if (proof === "proven") this.#proven++;',
      replace: "this.#proven++;",
    },
    {
      ...{ file: stopping, tests: unit, name: "two stops that nothing has confirmed count as one" },
      find: "(this.#sent === 1 && isAnswered && !this.isDenied)",
      replace: "(isAnswered && !this.isDenied)",
    },
    {
      ...{ file, tests: unit, name: "an error that another cause can have proves a stop" },
      find: 'return { error: isStop === "unproven" ? err : error, provesStop: false };',
      replace:
        'return { error: isStop === "unproven" ? err : error, provesStop: isStop === "unproven" };',
    },
    {
      ...{
        file: stopping,
        tests: unit,
        name: "an answer proves a stop that the adapter has not confirmed",
      },
      find: "isAnswered && !this.isDenied",
      replace: "isAnswered",
    },
    {
      ...{
        file: stopping,
        tests: unit,
        name: "a resource that was destroyed counts as free of stop requests",
      },
      find: "    if (this.wasDestroyed) return false;\n",
      replace: "",
    },
  ],
};
