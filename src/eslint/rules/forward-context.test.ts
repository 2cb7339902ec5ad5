import { testRule } from "../../../test/support/eslint.ts";
import { forwardContext } from "./forward-context.ts";

const start = `import { background, sleep, todo, withCancel, withTimeout, type Context } from "eightysix";\n`;

testRule(forwardContext, {
  valid: [`${start} export async function f(ctx: Context) { await sleep(ctx, 10); }`],
  invalid: [
    {
      code: `${start} export async function f(ctx: Context) { await sleep(todo(), 10); }`,
      output: `${start} export async function f(ctx: Context) { await sleep(ctx, 10); }`,
      errors: [{ messageId: "root" }],
    },
    {
      code: `${start} export async function f(ctx: Context) { await sleep(background(), 10); }`,
      errors: [
        {
          messageId: "root",
          suggestions: [
            {
              messageId: "pass",
              output: `${start} export async function f(ctx: Context) { await sleep(ctx, 10); }`,
            },
          ],
        },
      ],
    },
    {
      code: `${start} export async function f(parent: Context) { using ctx = withTimeout(parent, 10); return sleep(ctx, 10); }`,
      output: `${start} export async function f(parent: Context) { using ctx = withTimeout(parent, 10); return await sleep(ctx, 10); }`,
      errors: [{ messageId: "returned" }],
    },
  ],
});
