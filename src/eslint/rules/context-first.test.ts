import { testRule } from "../../../test/support/eslint.ts";
import { contextFirst } from "./context-first.ts";

const head = `import { background, map, sleep, type CancelableContext, type Context } from "eightysix"; import * as e from "eightysix"; declare const parent: Context;
`;
const of = (name: string, code: string, more: object = {}) => ({
  name,
  code: head + code,
  ...more,
});
const bad = (name: string, code: string, ctx = "ctx", more: object = {}) =>
  of(name, code, { errors: [{ messageId: "first", data: { name: ctx } }], ...more });

testRule(contextFirst, {
  valid: [
    of("first", `export function f(ctx: Context, id: string) { return sleep(ctx, id.length); }`),
    of(
      "first behind this",
      `export function f(this: Date, ctx: Context, id: string) { return sleep(ctx, id.length); }`,
    ),
    of(
      "two contexts",
      `export function f(ctx: Context, id: string, other: Context) { return [ctx, id, other]; }`,
    ),
    of("none", `export function f(id: string, n: number) { return [id, n]; }`),
    of(
      "another type of that name",
      `interface Own { a: string } export function f(id: string, ctx: Own) { return [id, ctx]; }`,
    ),
    of(
      "handed over",
      `export function f(id: string, ctx: CancelableContext) { setTimeout(() => ctx.cancel(), id.length); }`,
    ),
    of(
      "a rest parameter",
      `export function f(id: string, ...ctxs: Context[]) { return [id, ctxs]; }`,
    ),
    of(
      "passed to a call",
      `declare const app: any; app.get("/", (id: string, ctx: Context) => console.log(id, ctx)); app.get("/", function (id: string, ctx: Context) { console.log(id, ctx); });`,
    ),
    of(
      "passed to a call inside an object",
      `declare function serve(options: object): void; serve({ fetch(req: string, ctx: Context) { console.log(req, ctx); }, all: [(req: string, ctx: Context) => console.log(req, ctx)] });`,
    ),
    of(
      "the type of the variable has the order",
      `interface Handlers { run(...args: [string, Context]): void } export const h: Handlers = { run: (id: string, ctx: Context) => console.log(id, ctx) }; export const f: Handlers["run"] = (id: string, ctx: Context) => console.log(id, ctx); export const s = { run(id: string, ctx: Context) { console.log(id, ctx); } } satisfies Handlers;`,
    ),
    of(
      "the type of what a function returns has the order",
      `interface Handlers { run(...args: [string, Context]): void } export function make(): Handlers { return { run: (id: string, ctx: Context) => console.log(id, ctx) }; }`,
      { only: "types" },
    ),
    of(
      "overriding a method",
      `declare class Base { run(id: string, ctx: never): void } export class A extends Base { override run(id: string, ctx: Context) { console.log(id, ctx); } }`,
    ),
    of(
      "implementing an interface",
      `import type { Runner } from "./runner.ts"; export class A implements Runner { run(id: string, ctx: Context) { console.log(id, ctx); } }`,
      { only: "syntax" as const },
    ),
    of(
      "a method that a framework calls",
      `declare function Get(path: string): (target: object, key: string) => void; export class A { get(id: string, n: number) { return [id, n]; } }`,
    ),
    {
      name: "JavaScript",
      filename: "script.js" as const,
      code: `import { sleep } from "eightysix"; export function f(ctx, id) { return sleep(ctx, id.length); } export class A { run(ctx, n) { return sleep(ctx, n); } }`,
    },
    of(
      "a function in map",
      `export function f() { return map(parent, ["a"], async (ctx: Context, item: string) => { await sleep(ctx, item.length); }); }`,
    ),
  ],
  invalid: [
    bad(
      "a function",
      `export function f(id: string, ctx: Context) { return sleep(ctx, id.length); }`,
    ),
    bad(
      "behind this",
      `export function f(this: Date, id: string, ctx: Context) { return sleep(ctx, id.length); }`,
    ),
    bad(
      "an arrow function",
      `export const f = (id: string, ctx: Context) => sleep(ctx, id.length);`,
    ),
    bad(
      "a function expression",
      `export const f = function (id: string, ctx: Context) { return sleep(ctx, id.length); };`,
    ),
    bad(
      "a method",
      `export class A { run(id: string, ctx: Context) { return sleep(ctx, id.length); } }`,
    ),
    bad(
      "a method of an object",
      `export const api = { run(id: string, ctx: Context) { return sleep(ctx, id.length); } };`,
    ),
    bad(
      "a constructor",
      `export class A { constructor(id: string, ctx: Context) { console.log(id, ctx); } }`,
    ),
    bad(
      "a constructor of a class with a class above",
      `declare class Base {} export class A extends Base { constructor(id: string, ctx: Context) { super(); console.log(id, ctx); } }`,
    ),
    bad(
      "a parameter property",
      `export class A { constructor(id: string, readonly ctx: Context) { console.log(id, ctx); } }`,
    ),
    bad(
      "optional, or with a default",
      `export function f(id: string, ctx?: Context) { return [id, ctx]; } export function g(id: string, ctx: Context = parent) { return [id, ctx]; }`,
      "ctx",
      {
        errors: [{ messageId: "first" }, { messageId: "first" }],
      },
    ),
    bad(
      "a namespace, and another name",
      `export function f(id: string, ticket: e.Context) { return [id, ticket]; }`,
      "ticket",
    ),
    bad(
      "signatures",
      `export interface A { run(id: string, ctx: Context): void; (id: string, ctx: Context): void; new (id: string, ctx: Context): A } export type F = (id: string, ctx: Context) => void; export declare function g(id: string, ctx: Context): void; export abstract class B { abstract run(id: string, ctx: Context): void; }`,
      "ctx",
      {
        errors: Array.from({ length: 6 }, () => ({ messageId: "first" })),
      },
    ),
    bad(
      "a method that the class above does not have",
      `declare class Base { walk(): void } export class A extends Base { run(id: string, ctx: Context) { return sleep(ctx, id.length); } }`,
      "ctx",
      { only: "types" as const },
    ),
    bad(
      "an async generator",
      `export async function* g(id: string, ctx: Context) { await sleep(ctx, id.length); yield 1; }`,
    ),
    {
      name: "JavaScript",
      filename: "script.js" as const,
      only: "syntax" as const,
      code: `import { sleep } from "eightysix"; export function f(id, ctx) { return sleep(ctx, id.length); }`,
      errors: [{ messageId: "first" }],
    },
  ],
} as never);
