import { testRule } from "../../../test/support/eslint.ts";
import { noContextInField } from "./no-context-in-field.ts";

const head = `import { background, key, sleep, todo, withCancel, withValue, type CancelableContext, type Context } from "eightysix"; import * as e from "eightysix"; declare const parent: Context;
`;
const of = (name: string, code: string, more: object = {}) => ({
  name,
  code: head + code,
  ...more,
});
const bad = (name: string, code: string, messageId: string, more: object = {}) =>
  of(name, code, { errors: [{ messageId }], ...more });

testRule(noContextInField, {
  valid: [
    of("a parameter of a method", `export class A { run(ctx: Context) { return sleep(ctx, 5); } }`),
    of(
      "a field that can be canceled",
      `export class A { readonly ctx: CancelableContext = withCancel(parent); other = withCancel(parent); third?: CancelableContext; }`,
    ),
    of(
      "a parameter property that can be canceled",
      `export class A { constructor(readonly ctx: CancelableContext) {} }`,
    ),
    of(
      "an option named parent",
      `export interface Options { parent?: Context; } export class A { constructor(readonly parent: Context) {} }`,
    ),
    of(
      "another type of that name",
      `type Own = { a: string }; export interface Options { ctx: Own; }`,
    ),
    {
      name: "a Context from elsewhere",
      code: `import type { Context } from "./hono.ts"; export interface Options { ctx: Context }`,
      only: "syntax" as const,
    },
    of(
      "a function in a field",
      `export interface Options { run: (ctx: Context) => void; make(): Context; } export class A { run = (ctx: Context) => sleep(ctx, 5); }`,
    ),
    of(
      "what another module's objects hold",
      `declare global { interface MyRequest { ctx: Context } } export {};`,
    ),
    of("a declared field", `export class A { declare ctx: Context; }`),
    of(
      "a variable of the program that no function uses",
      `const ctx = withValue(background(), key<string>("a"), "b"); await sleep(ctx, 5);`,
    ),
    of(
      "a variable of the module that can be canceled",
      `export const ctx = withCancel(background()); export function f() { return sleep(ctx, 5); }`,
    ),
    of(
      "the root",
      `const root = background(); export const later = todo(); export function f() { return sleep(root, 5); }`,
    ),
    of(
      "a variable of a function",
      `export function f() { const ctx = withValue(parent, key<string>("a"), "b"); return () => sleep(ctx, 5); }`,
    ),
    {
      name: "JavaScript: a field that can be canceled",
      filename: "script.js" as const,
      code: `import { withCancel, background } from "eightysix"; export class A { constructor() { this.ctx = withCancel(background()); this.n = 5; } }`,
    },
  ],
  invalid: [
    bad("a field", `export class A { ctx: Context = parent; }`, "field"),
    bad(
      "a private field",
      `export class A { #ctx: Context | undefined; run() { this.#ctx = parent; } }`,
      "field",
    ),
    bad("an accessor", `export class A { accessor ctx: Context = parent; }`, "field"),
    bad(
      "a field without an annotation",
      `export class A { ctx = withValue(parent, key<string>("a"), "b"); }`,
      "field",
    ),
    bad(
      "a parameter property",
      `export class A { constructor(private readonly ctx: Context) {} run() { return sleep(this.ctx, 5); } }`,
      "field",
    ),
    bad(
      "a parameter property with a default",
      `export class A { constructor(readonly ctx: Context = parent) {} }`,
      "field",
    ),
    bad("a namespace", `export class A { ctx?: e.Context; }`, "field"),
    bad("an interface", `export interface Options { ctx: Context; }`, "property"),
    bad(
      "an optional property, or null",
      `export interface Options { ctx?: Context | null; }`,
      "property",
    ),
    bad(
      "a type literal",
      `export function f({ ctx }: { ctx: Context }) { return sleep(ctx, 5); }`,
      "property",
    ),
    bad(
      "a variable of the module",
      `let current: Context = parent; export function f() { return sleep(current, 5); } export function set(ctx: Context) { current = ctx; }`,
      "module",
    ),
    bad(
      "an exported variable",
      `export const shared = withValue(parent, key<string>("a"), "b");`,
      "module",
    ),
    bad(
      "a type of the user's own",
      `type Ticket = Context & { user: string }; export interface Options { ticket: Ticket; }`,
      "property",
      { only: "types" },
    ),
    {
      name: "JavaScript",
      filename: "script.js" as const,
      code: `import { sleep, withValue, background, key } from "eightysix"; export class A { constructor() { this.ctx = withValue(background(), key("a"), 1); } run() { return sleep(this.ctx, 5); } }`,
      errors: [{ messageId: "field" }],
    },
    {
      name: "JavaScript: a parameter",
      filename: "script.js" as const,
      only: "syntax" as const,
      code: `import { sleep } from "eightysix"; export class A { constructor(ctx) { this.ctx = ctx; } run() { return sleep(this.ctx, 5); } }`,
      errors: [{ messageId: "field" }],
    },
  ],
} as never);
