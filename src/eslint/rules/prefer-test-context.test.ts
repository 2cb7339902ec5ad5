import { testRule } from "../../../test/support/eslint.ts";
import { preferTestContext } from "./prefer-test-context.ts";

const start = `import { background, sleep, todo, withCancel, type Context } from "eightysix";\n`;
const vitest = `import { afterAll, beforeAll, describe, it, test } from "vitest";\n`;
const testing = `import { testContext } from "eightysix/testing";\n`;

testRule(preferTestContext, {
  valid: [
    `${start}${vitest}${testing}test("sleeps", async (t) => { await sleep(testContext(t), 1); });`,
    { name: "code outside of a test", code: `${start}await sleep(background(), 1);` },
    {
      name: "a hook",
      code: `${start}${vitest}beforeAll(async () => { await sleep(background(), 1); }); afterAll(() => sleep(background(), 1));`,
    },
    {
      name: "a suite",
      code: `${start}${vitest}describe("all", () => { const ctx = withCancel(background()); afterAll(() => ctx.cancel()); });`,
    },
    {
      name: "a function outside of a test",
      code: `${start}${vitest}const work = () => sleep(background(), 1); test("works", () => work());`,
    },
    {
      name: "a function that runs later",
      code: `${start}${vitest}test("works", () => { setTimeout(() => sleep(background(), 1), 5); });`,
    },
    {
      name: "a test of background itself",
      code: `${start}${vitest}test("never ends", () => { const root = background(); root.err(); });`,
    },
    {
      name: "a test of Jest, which has no context",
      code: `${start}declare function test(name: string, fn: () => unknown): void; test("sleeps", async () => { await sleep(background(), 1); });`,
    },
    {
      name: "a test of a table, whose function gets the row",
      code: `${start}${vitest}test.each([1, 2])("sleeps", async (ms) => { await sleep(background(), ms); });`,
    },
  ],
  invalid: [
    {
      code: `${start}${vitest}${testing}test("sleeps", async (t) => { await sleep(background(), 1); testContext(t); });`,
      errors: [
        {
          messageId: "root",
          suggestions: [
            {
              messageId: "useTestContext",
              output: `${start}${vitest}${testing}test("sleeps", async (t) => { await sleep(testContext(t), 1); testContext(t); });`,
            },
          ],
        },
      ],
    },
    {
      name: "a test without a parameter, and a file without the import",
      code: `${start}${vitest}it.only("sleeps", async () => { using ctx = withCancel(todo()); await sleep(ctx, 1); });`,
      errors: [
        {
          messageId: "root",
          suggestions: [
            {
              messageId: "useTestContext",
              output: `${testing}${start}${vitest}it.only("sleeps", async (t) => { using ctx = withCancel(testContext(t)); await sleep(ctx, 1); });`,
            },
          ],
        },
      ],
    },
    {
      name: "node:test",
      code: `${start}import test from "node:test";\ntest("sleeps", async function () { await sleep(background(), 1); });`,
      errors: [
        {
          messageId: "root",
          suggestions: [
            {
              messageId: "useTestContext",
              output: `${testing}${start}import test from "node:test";\ntest("sleeps", async function (t) { await sleep(testContext(t), 1); });`,
            },
          ],
        },
      ],
    },
    {
      name: "an export of node:test, with options",
      code: `${start}import { it } from "node:test";\nit("sleeps", { timeout: 100 }, async () => { await Promise.all([1, 2].map((ms) => sleep(background(), ms))); });`,
      errors: [
        {
          messageId: "root",
          suggestions: [
            {
              messageId: "useTestContext",
              output: `${testing}${start}import { it } from "node:test";\nit("sleeps", { timeout: 100 }, async (t) => { await Promise.all([1, 2].map((ms) => sleep(testContext(t), ms))); });`,
            },
          ],
        },
      ],
    },
    {
      name: "a parameter that is taken apart",
      code: `${start}${vitest}test("sleeps", async ({ task }) => { await sleep(background(), task.name.length); });`,
      errors: [{ messageId: "root" }],
    },
    {
      name: "a name that is taken",
      code: `${start}${vitest}const t = 1; test("sleeps", async () => { await sleep(background(), t); });`,
      errors: [{ messageId: "root" }],
    },
  ],
});
