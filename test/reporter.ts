import type { ProvidedContext, SerializedError } from "vitest";
import type { Reporter, TestModule, Vitest } from "vitest/node";

/**
 * Ends the output with each skipped test and its reason, the servers that are missing, and one line
 * of counts.
 */
export default class CountReporter implements Reporter {
  #vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const count = { passed: 0, failed: unhandled.length, skipped: 0 };
    const lines: string[] = [];
    for (const module of modules) {
      // A file or a suite that fails outside of its tests (import, beforeAll) counts as a failure.
      if (module.errors().length > 0) count.failed++;
      for (const suite of module.children.allSuites()) {
        if (suite.errors().length > 0) count.failed++;
      }
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === "passed") count.passed++;
        else if (result.state === "failed") count.failed++;
        else {
          count.skipped++;
          const note = result.state === "skipped" ? result.note : "did not finish";
          lines.push(
            `skipped: ${module.relativeModuleId} > ${test.fullName}${note ? ` (${note})` : ""}`,
          );
        }
      }
    }
    // `undefined` if the set-up failed.
    const given: Partial<ProvidedContext> | undefined = this.#vitest
      ?.getRootProject()
      .getProvidedContext();
    for (const server of Object.values(given?.missingServers ?? {}))
      lines.push(`missing server: ${server}`);
    lines.push(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
    process.stdout.write(`${lines.join("\n")}\n`);
  }
}
