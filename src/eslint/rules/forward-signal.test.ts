import { testRule } from "../../../test/support/eslint.ts";
import { forwardSignal } from "./forward-signal.ts";

const context = `import type { Context } from "eightysix";\n`;
const timers = `import { setTimeout } from "node:timers/promises";\n`;

testRule(forwardSignal, {
  valid: [
    `export async function f(signal: AbortSignal) { await fetch("/", { signal }); }`,
    `export async function f(signal: AbortSignal) { await fetch("/", { signal: undefined }); }`,
    `export async function f() { await fetch("/"); }`,
  ],
  invalid: [
    {
      code: `export async function f(signal: AbortSignal) { await fetch("/"); }`,
      output: `export async function f(signal: AbortSignal) { await fetch("/", { signal }); }`,
      errors: [{ messageId: "missing" }],
    },
    {
      code: `${context}export async function f(ctx: Context) { await fetch("/", { method: "POST" }); }`,
      output: `${context}export async function f(ctx: Context) { await fetch("/", { method: "POST", signal: ctx.signal }); }`,
      errors: [{ messageId: "missing" }],
    },
    {
      code: `${timers}export async function f(signal: AbortSignal) { await setTimeout(10); }`,
      output: `${timers}export async function f(signal: AbortSignal) { await setTimeout(10, undefined, { signal }); }`,
      errors: [{ messageId: "missing" }],
    },
  ],
});
