/** No rule may throw, whatever the code is. A rule that throws ends the lint of the whole program. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as parser from "@typescript-eslint/parser";
import { Linter, type Rule } from "eslint";
import { expect, test } from "vitest";
import { rules } from "./rules/index.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const fixtures = join(root, "test/fixtures/eslint");

const linter = new Linter({ cwd: root });
/** All rules, with what only strict turns on. */
const chosen: Linter.RulesRecord = Object.fromEntries(
  Object.entries(rules).map(([name, { meta }]) => {
    const strict = (meta as { docs?: { strict?: object } }).docs?.strict;
    return [`all/${name}`, strict === undefined ? "error" : ["error", strict]];
  }),
);

/** Lints a text with all rules, and returns what makes it unreadable. Throws if a rule does. */
function lint(code: string, filename: string, parserOptions: object): string[] {
  const config = {
    files: ["**/*"],
    plugins: { all: { rules: rules as unknown as Record<string, Rule.RuleModule> } },
    languageOptions: { parser, parserOptions },
    rules: chosen,
  } satisfies Linter.Config;
  return linter
    .verify(code, config, { filename, allowInlineConfig: false })
    .flatMap(({ fatal, message }) => (fatal === true ? [message] : []));
}

const untyped = { ecmaFeatures: { jsx: true } };
const typed = {
  project: "./tsconfig.json",
  tsconfigRootDir: fixtures,
  disallowAutomaticSingleRunInference: true,
};

/** Returns files below a folder, in order, up to a number of bytes. */
function filesIn(folder: string, ending: RegExp, bytes: number): string[] {
  let left = bytes;
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .sort()
    .map((name) => join(folder, name))
    .filter((file) => {
      if (left <= 0 || !ending.test(file) || file.slice(folder.length).includes("node_modules"))
        return false;
      const stat = statSync(file);
      if (!stat.isFile() || stat.size > 40_000) return false;
      left -= stat.size;
      return true;
    });
}

test("no rule throws on the sources of this package", { timeout: 60_000 }, () => {
  const folders = ["eslint", "tasks", "http", "adapter", "pg"];
  const files = folders.flatMap((folder) => filesIn(join(root, "src", folder), /\.ts$/, 40_000));
  for (const file of files) lint(readFileSync(file, "utf8"), file, { ecmaFeatures: {} });
  expect(files.length).toBeGreaterThan(30);
});

const PACKAGES = [
  ...[
    "pg",
    "mysql2",
    "mariadb",
    "ioredis",
    "mongodb",
    "express",
    "fastify",
    "koa",
    "hono",
    "kysely",
  ],
  ...["typeorm", "prettier", "pino", "knex", "ws", "semver", "acorn", "vite", "ajv", "rxjs"],
];

test("no rule throws on the code of other packages", { timeout: 60_000 }, () => {
  let read = 0;
  for (const name of PACKAGES) {
    const folder = join(root, "node_modules", name);
    for (const file of filesIn(folder, /\.[cm]?js$/, 15_000)) {
      // A file of a syntax of its own is none of the rules.
      lint(readFileSync(file, "utf8"), file, untyped);
      read++;
    }
  }
  expect(read).toBeGreaterThan(30);
});

/** Code that rules may not expect. Each is the text of a whole file. */
const ODD: Record<string, string> = {
  "an empty file": "",
  "a directive alone": `"use strict"`,
  "imports of types": `import type { Context } from "eightysix"; import { type CancelableContext, sleep } from "eightysix"; import type * as e from "eightysix"; export const f = (c: Context, d: CancelableContext, x: e.Context) => sleep(c, +!d + +!x);`,
  "a type under the name of a function": `import type { sleep, key } from "eightysix"; declare const s: typeof sleep; declare const k: typeof key; void s(null!, 1); k("password");`,
  "a default import of a module without one": `import e from "eightysix"; e.sleep(null, 1); e.default.key("token"); e();`,
  "exports again": `export { sleep as default, key as k } from "eightysix"; export * as all from "eightysix"; export * from "eightysix/pg"; import { todo } from "eightysix"; export { todo as later };`,
  "a default export": `import { sleep } from "eightysix"; export default async (ctx) => { void sleep(ctx, 1); };`,
  "a default export of a class without a name": `export default class { async #a(ctx) { this.#a(ctx); } static { void this; } [Symbol.iterator]() {} accessor b = 1; get c() { return 1; } set c(x) {} }`,
  "a variable without a value": `let a; var a; a?.b?.(a)?.c!.d; let { b = a, ...c } = {}, [d = b, , ...e] = []; ({ a: [b.c] } = c); for (a of []); for (var x in d) ; for (let i = 0, j; ; ) break;`,
  "a circle of variables": `const a = b, b = c, c = a; a(b); b.withCancel(a); const { d } = d; const e = e.f.g(e); void e; e.then(e);`,
  "a long chain": `const a0 = require("eightysix"); ${Array.from({ length: 20 }, (_, i) => `const a${i + 1} = a${i};`).join(" ")} a20.todo(); a20.sleep(null, 1);`,
  "names that others shadow": `import { withCancel, sleep, key } from "eightysix"; function f(withCancel, sleep) { const key = (x) => x; withCancel(null); void sleep(null, 1); key("password"); { let require = f; require("eightysix").todo(); } }`,
  "names of objects": `constructor(hasOwnProperty, toString); toString.constructor(null); const { __proto__: p } = valueOf; x.constructor.prototype.then(); hasOwnProperty?.call(null); import * as __proto__ from "eightysix"; __proto__.toString(); __proto__["constructor"]();`,
  "names that are computed":
    "import * as e from 'eightysix'; e[`todo`](); e['sle' + 'ep'](null, 1); e[0](); e[Symbol.iterator]?.(); class A { ['x'](ctx) {} static async *[e](ctx) {} 'y z' = async (ctx) => this['y z'](ctx); 1() {} }",
  "calls without arguments": `import { key, sleep, withValue, group, withCancel, merge } from "eightysix"; key(); sleep(); withValue(); group(); merge(); withCancel(); new sleep(); new key; sleep\`x\`; import.meta.x(); import("eightysix").then((e) => e.sleep(null, 1)); require(); require(x); require("eightysix", 1); new Promise(); [].forEach(); [].map(async () => {}); setTimeout(); x.catch(); x.then(); x.finally();`,
  "calls with spread arguments": `import { key, sleep, withValue } from "eightysix"; async function f(...args) { key(...args); sleep(...args); sleep(null, ...args); withValue(...args, key("x")); await sleep(...[]); f(...args)(...args); new f(...args); }`,
  "optional chains": `async function f(ctx) { ctx?.err?.(); ctx?.signal.aborted; (await ctx?.a)?.b(ctx); ctx!.a!.b!(ctx)!.then(); (ctx?.a)(ctx); delete ctx?.a; (f?.(ctx))!.catch(() => {}); }`,
  casts: `async function f(ctx) { (<any>ctx)(<never>null); (ctx as any as never)(ctx satisfies unknown); void (f(ctx) as Promise<void>)!; f<string>(ctx); const g = f<number>; void g(ctx); (ctx as any) = null; (ctx!) = 1; }`,
  "loops in all forms": `async function* f(ctx, signal) { a: for (;;) { try { await f(ctx); } catch { continue a; } finally { break a; } } do { try { yield* f(ctx); await fetch("x", { signal, ...ctx, signal: signal, [signal]: 1, signal() {} }); } catch ({ message = ctx, ...rest }) { switch (rest) { } } } while (1); while (0) { try { throw 1; } catch (e) { e = e; if (e) ; else ; } } for await (const x of f(ctx)) try { for await (const y of f(ctx)) ; } catch {} for (const x of []) try { await f(ctx) } finally {} }`,
  "code that nothing reaches": `async function f(ctx) { return; while (true) { try { await f(ctx); } catch (e) { } } throw 1; for (;;) { try { await f(ctx) } catch {} } }`,
  "a try at the top": `import { sleep, background } from "eightysix"; const ctx = background(); for (;;) { try { await sleep(ctx, 1); } catch { } } try { await sleep(ctx, 1); } catch {} void sleep(ctx, 1); sleep(ctx, 1).catch(() => {}); export {};`,
  "functions in odd places": `class A { x = async (ctx) => { void this.x(ctx); }; static { (async () => { for (;;) try { await A.y(A); } catch {} })(); } static y = function* () { yield; }; constructor(ctx, private readonly z = async () => ctx) { super.x(ctx); new.target; } } const o = { async a(ctx) { void o.a(ctx); }, get b() { return async (ctx) => o.a(ctx); }, set b(x) {}, async *c() {}, ["d"]: async () => {} }; (function f(ctx = f(f)) { return f; })(); (async (ctx, d = async () => void o.a(ctx)) => d)();`,
  decorators: `function d(...x: any[]): any { return x; } @d @d(null) class A { @d() a = 1; @d b(@d ctx: any) { void this.b(ctx); } @d static c; @d get e() { return 1; } }`,
  "enums, namespaces and declarations": `enum E { a = "x".length, b = 1 << 2, "c d" = 3 } declare enum F { x } const enum G { y } namespace N { export const ctx = 1; export namespace M { export function f(ctx); } } declare module "eightysix" { export function added(): void; } declare module "*.css"; declare global { interface Window { ctx: any } var ctx: any } declare function f(ctx): void; declare class C { f(ctx): void; private x?; } export as namespace X; import fs = require("fs"); import q = N.M; export = N; abstract class D { abstract f(ctx): void; declare x: 1; f?(): void; [k: string]: any }`,
  overloads: `function f(): void; function f(ctx: any): Promise<void>; async function f(ctx?: any) { void f(ctx); f(); } var f; class A { g(): void; g(ctx: any): void; g(ctx?: any) { this.g(ctx); } }`,
  "types that do not exist": `import { Nothing, sleep } from "eightysix"; import x from "./missing.js"; import { Context } from "./missing.js"; function f(ctx: Context, y: Missing<string>, z: typeof nowhere): Gone { void x(ctx); void x.load(ctx).then(Nothing); x.map(async () => { await x(ctx); }); nowhere(ctx).forEach(async (a: Missing) => void a(ctx)); void sleep(ctx as Missing, z); sleep(null as Missing, 1); Nothing(null); for (;;) try { await x(ctx); } catch (e) { ctx.err; } return y; }`,
  "types that go in circles": `import { key, type Context } from "eightysix"; type T = { [K in keyof T]: T[K] }; interface I extends I {} class B extends B {} type R = R[]; declare const t: T, i: I, b: B, r: R, n: never, u: unknown, s: symbol, big: 1n; key<T>("a"); key<I>("token"); key<never>("b"); async function f(ctx: Context & T, g: Context | never, h: [Context], ...rest: [Context?, ...T[]]) { void b(ctx); void n(g); void u(h); n.then(n); void i.then(ctx); f(null!, n, h, null, undefined); f(ctx, g, h, ...rest); void r[0](ctx, s, big); } `,
  generics: `import { type Context, withCancel } from "eightysix"; async function f<C extends Context, D extends C | undefined, E>(c: C, d: D, e: E, k: keyof C): Promise<void> { void f(c, d, e, k); withCancel(c); withCancel(d!); void f(null as never, undefined as D, {} as E, k); const x: C = null!; return f(x, d, e, k); }`,
  disposal: `import { withCancel, background } from "eightysix"; { using a = withCancel(background()), b = null; await using c = withCancel(a); void [b, c]; } for (using d of []) void d; async function f() { for await (await using e of f()) { try { await f(e) } catch { } } }`,
  assignments: `async function f(ctx, o) { let p; p = q = f(ctx); p ??= f(ctx); p ||= f(ctx); [p] = [f(ctx)]; ({ p } = { p: f(ctx) }); o.p = f(ctx); o[p] += f(ctx); p++; (p) = f(ctx); p = p = f(ctx); void p; var p; q = f(ctx); const { then } = f(ctx), [x] = [f(ctx)], y = x ? f(ctx) : then, z = (0, f)(ctx); }`,
  "labels, commas and void": `a: b: { void 0, void f(ctx), f(ctx); break b; } void (void 0); void (async () => {})(); void async function () {}; if (x) void f(ctx); else f(ctx); with_: ; for (f(ctx); f(ctx); f(ctx)) f(ctx); switch (f(ctx)) { case f(ctx): f(ctx); default: } throw f(ctx);`,
  CommonJS: `const { sleep = x, ...rest } = require("eightysix"), e = require("eightysix").default, { default: { key } } = require("eightysix"); module.exports = { sleep, key }; module.exports.f = exports.g = async (ctx) => { void sleep(ctx, 1); rest.sleep(null); e.todo(); }; require("eightysix/register"); require.resolve("x"); this.f(ctx);`,
  "numbers and other letters": `import { "sleep" as 睡眠 } from "eightysix"; void 睡眠(null, 1_000); const \\u0061b = 1n; /a/v.test("x"); \`\${睡眠(null, 1)}\`;`,
};

const JSX = `import { sleep, key } from "eightysix"; export const A = ({ ctx, ...rest }: any) => <><A.B {...rest} ctx={null!} on:x="1" onClick={async () => { void sleep(ctx, 1); }}>{...[key("token")]}{/* no */}</A.B><div<string> key={() => sleep(null!, 1)} /></>;`;

test.each(Object.entries(ODD))("no rule throws on odd code: %s", (_, code) => {
  const complaints = ["file.ts", "script.js", "common.cjs"].map((name) => [
    ...lint(code, join(fixtures, name), {}),
    ...lint(code, join(fixtures, name), typed),
  ]);
  // Otherwise the rules do not see the code.
  expect(complaints).toContainEqual([]);
});

test("no rule throws on JSX", () => {
  expect(lint(JSX, join(fixtures, "jsx.tsx"), typed)).toEqual([]);
  expect(lint(JSX, join(fixtures, "jsx.tsx"), untyped)).toEqual([]);
});
