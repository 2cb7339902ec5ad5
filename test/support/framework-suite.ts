/** The tests of request contexts that every framework must pass, over each transport. */
import { describe, test } from "vitest";
import { failOnEscapes } from "./escapes.ts";
import { current } from "./framework-suite/current.ts";
import { drain, drainOwnServer } from "./framework-suite/drain.ts";
import { disconnect } from "./framework-suite/disconnect.ts";
import { ends } from "./framework-suite/ends.ts";
import { hostile } from "./framework-suite/hostile.ts";
import { lateAnswers } from "./framework-suite/late-answers.ts";
import { foreignEnd } from "./framework-suite/foreign-end.ts";
import { limits } from "./framework-suite/limits.ts";
import { shields } from "./framework-suite/shields.ts";
import { expectedWarnings, type FrameworkUnderTest } from "./framework-suite/under-test.ts";
import { transports, type Transport } from "./transports/index.ts";

export type { FrameworkUnderTest, Work } from "./framework-suite/under-test.ts";

export function frameworkSuite(framework: FrameworkUnderTest): void {
  failOnEscapes(expectedWarnings);

  for (const transport of transports) {
    describe(`${framework.name} over ${transport.name}`, () => {
      const reason = whyNot(framework, transport);
      if (reason !== undefined) {
        test("has no suite", ({ skip }) => skip(reason));
        return;
      }
      ends(framework, transport);
      limits(framework, transport);
      hostile(framework, transport);
      describe("an answer to a request whose handler goes on", () =>
        lateAnswers(framework, transport));
      if (framework.hasCurrent !== false) {
        describe("the option `current`", () => current(framework, transport));
      }
      describe("the option `onDisconnect`", () => disconnect(framework, transport));
      describe("a request", () => foreignEnd(framework, transport));
      describe("a shield", () => shields(framework, transport));
      describe("a shutdown", () => drain(framework, transport));
    });
  }
  drainOwnServer(framework);
}

function whyNot(framework: FrameworkUnderTest, transport: Transport): string | undefined {
  return transport.missing ?? (transport.http2 ? framework.withoutHttp2 : undefined);
}
