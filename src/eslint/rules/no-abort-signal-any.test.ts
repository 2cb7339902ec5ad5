import { testRule } from "../../../test/support/eslint.ts";
import { noAbortSignalAny } from "./no-abort-signal-any.ts";

const start = `import { withSignal, withTimeout, type Context } from "eightysix";\n`;
const type = `import type { Context } from "eightysix";\n`;
const given = (body: string, imports = start): string =>
  `${imports}export async function f(ctx: Context, signal: AbortSignal) {\n${body} }`;

testRule(noAbortSignalAny, {
  valid: [
    {
      name: "no context is at hand",
      code: `export const f = (signal: AbortSignal) => AbortSignal.any([signal, AbortSignal.timeout(100)]);`,
    },
    given(
      `using either = withSignal(ctx, signal); await fetch("/", { signal: either.signal }); using limited = withTimeout(ctx, 5); limited.err();`,
    ),
    given(`AbortSignal.abort(); signal.throwIfAborted();`),
    {
      name: "an AbortSignal of the user's own",
      code: given(`const AbortSignal = { timeout: (ms: number) => ms }; AbortSignal.timeout(5);`),
    },
    {
      name: "a context of the module",
      code: `${start}import { background } from "eightysix"; const life = withTimeout(background(), 5); export const f = () => [life, AbortSignal.timeout(5)];`,
    },
  ],
  invalid: [
    {
      code: given(`await fetch("/", { signal: AbortSignal.timeout(100) });`),
      errors: [
        {
          messageId: "timeout",
          suggestions: [
            {
              messageId: "derive",
              output: given(
                `using limited = withTimeout(ctx, 100);\nawait fetch("/", { signal: limited.signal });`,
              ),
            },
          ],
        },
      ],
    },
    {
      code: given(`await fetch("/", { signal: AbortSignal.any([ctx.signal, signal]) });`),
      errors: [
        {
          messageId: "any",
          suggestions: [
            {
              messageId: "derive",
              output: given(
                `using either = withSignal(ctx, signal);\nawait fetch("/", { signal: either.signal });`,
              ),
            },
          ],
        },
      ],
    },
    {
      name: "a limit beside the signal of the context",
      code: given(
        `const answer = await fetch("/", { signal: AbortSignal.any([ctx.signal, AbortSignal.timeout(5)]) });\nreturn [answer, signal];`,
      ),
      errors: [
        {
          messageId: "any",
          suggestions: [
            {
              messageId: "derive",
              output: given(
                `using limited = withTimeout(ctx, 5);\nconst answer = await fetch("/", { signal: limited.signal });\nreturn [answer, signal];`,
              ),
            },
          ],
        },
      ],
    },
    {
      name: "a file that does not import the function yet",
      code: given(`await fetch("/", { signal: AbortSignal.timeout(100) });`, type),
      errors: [
        {
          messageId: "timeout",
          suggestions: [
            {
              messageId: "derive",
              output: `import { withTimeout } from "eightysix";\n${given(
                `using limited = withTimeout(ctx, 100);\nawait fetch("/", { signal: limited.signal });`,
                type,
              )}`,
            },
          ],
        },
      ],
    },
    {
      name: "names that are taken, and CommonJS",
      code: `"use strict";\nconst { sleep: wait } = require("eightysix");\nexports.f = async (ctx) => {\nconst limited = 1;\nawait wait(ctx, limited);\nawait fetch("/", { signal: AbortSignal.timeout(100) });\n};`,
      filename: "common.cjs",
      errors: [
        {
          messageId: "timeout",
          suggestions: [
            {
              messageId: "derive",
              output: `"use strict";\nconst { withTimeout } = require("eightysix");\nconst { sleep: wait } = require("eightysix");\nexports.f = async (ctx) => {\nconst limited = 1;\nawait wait(ctx, limited);\nusing limited2 = withTimeout(ctx, 100);\nawait fetch("/", { signal: limited2.signal });\n};`,
            },
          ],
        },
      ],
    },
    {
      name: "a limit and two signals take two contexts",
      code: given(
        `await fetch("/", { signal: AbortSignal.any([ctx.signal, signal, AbortSignal.timeout(5)]) });`,
      ),
      errors: [{ messageId: "any" }],
    },
    {
      name: "a signal whose life the source does not tell",
      code: given(`const either = AbortSignal.any([ctx.signal, signal]);\nreturn either;`),
      errors: [{ messageId: "any" }],
    },
    {
      name: "a promise that the function does not await",
      code: given(`return fetch("/", { signal: AbortSignal.timeout(5) });`),
      errors: [{ messageId: "timeout" }],
    },
    {
      name: "a list of signals from elsewhere",
      code: given(`await fetch("/", { signal: AbortSignal.any([...[signal], ctx.signal]) });`),
      errors: [{ messageId: "any" }],
    },
  ],
});
