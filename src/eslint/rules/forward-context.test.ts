import { testRule } from "../../../test/support/eslint.ts";
import { forwardContext } from "./forward-context.ts";

const start = `import { afterFunc, background, detach, group, merge, orDone, shield, sleep, stopped, todo, withCancel, withSignal, withTimeout, withoutCancel, withValue, within, type CancelableContext, type Context } from "eightysix";\n`;
const work = `async function work(ctx: Context, id = 1) { await sleep(ctx, id); return id; }\n`;
const pool = `import pg from "pg"; import { withContext } from "eightysix/pg"; const pool = new pg.Pool(); const db = withContext(pool);\n`;

const cfetch = `import { fetch as cfetch } from "eightysix/fetch";\n`;

/** A body of a function that gets a context. */
const given = (body: string, imports = ""): string =>
  `${start}${imports}${work}export async function f(ctx: Context, list: number[]) { ${body} }`;

/** A body of a function, which makes its own context. */
const own = (body: string, head = "async function f(): Promise<unknown>"): string =>
  `${start}${work}export ${head} { using ctx = withCancel(background()); ${body} }`;

interface Rest {
  name?: string;
  only?: "syntax" | "types";
  filename?: "script.js" | "common.cjs";
}

/** A finding with a fix. */
const fixes = (
  messageId: string,
  code: string,
  output: string,
  rest: Rest = {},
): Rest & { code: string; output: string; errors: { messageId: string }[] } => ({
  code,
  output,
  errors: [{ messageId }],
  ...rest,
});

/** A finding with a suggestion. */
const suggests = (
  [messageId, suggestion]: [string, string],
  code: string,
  output: string,
  rest: Rest = {},
): Rest & {
  code: string;
  output: null;
  errors: { messageId: string; suggestions: { messageId: string; output: string }[] }[];
} => ({
  code,
  output: null,
  errors: [{ messageId, suggestions: [{ messageId: suggestion, output }] }],
  ...rest,
});

testRule(forwardContext, {
  valid: [
    given(`await work(ctx); list.push(1);`),
    given(
      `await group(ctx, (g) => { void g.go((own) => work(own)); void g.go(() => work(g.ctx)); });`,
    ),
    {
      name: "go of something that is no group",
      code: `${start}${work}export function f(ctx: Context, g: { go(fn: () => unknown): void }) { g.go(() => work(background())); ctx.err(); }`,
    },
    {
      name: "no context is at hand",
      code: `${start}${work}export const f = () => work(background());`,
    },
    {
      name: "a context of the module",
      code: `${start}${work}const life = withCancel(background()); export const f = () => work(background(), life.err() ? 1 : 2);`,
    },
    {
      name: "two contexts that the function makes itself",
      code: `${start}${work}export async function f() { using a = withCancel(background()); using b = withTimeout(background(), 5); await work(a); await work(b); await work(background()); }`,
    },
    {
      name: "a context without the end of its parent",
      code: given(`await work(withoutCancel(ctx));`),
    },
    {
      name: "a context that is merged with the one at hand",
      code: given(`using all = merge(ctx, withTimeout(background(), 5)); await work(all);`),
    },
    given(
      `await both(ctx, withCancel(background())); await both(background(), ctx);`,
      `declare function both(a: Context, b: Context): Promise<void>;\n`,
    ),
    given(
      `await both({ ctx, life: withCancel(background()) }); await all([ctx, withCancel(background())]);`,
      `declare function both(a: { ctx: Context; life: Context }): Promise<void>; declare function all(a: Context[]): Promise<void>;\n`,
    ),
    given(`using life = withCancel(background()); using all = merge(ctx, life); await work(all);`),
    {
      name: "a context that the one at hand cancels",
      code: given(
        `using life = withCancel(background()); afterFunc(ctx, () => life.cancel()); await work(life);`,
      ),
    },
    {
      name: "a context with the signal of the one at hand",
      code: given(`using life = withSignal(background(), ctx.signal); await work(life);`),
    },
    {
      name: "a context that an object keeps",
      code: `${start}export class Life { ctx: CancelableContext | undefined; start(ctx: Context) { ctx.err(); this.ctx = withCancel(background()); } }`,
    },
    {
      name: "cleanup",
      code: given(
        `try { await work(ctx); } catch { await work(background(), 2); } finally { await work(background(), 3); }`,
      ),
    },
    {
      name: "a function that runs later",
      code: given(
        `setTimeout(() => work(background()), 5); process.on("exit", () => work(background())); ctx.err();`,
      ),
    },
    {
      name: "the end of the context",
      code: given(`afterFunc(ctx, () => work(background()));`),
    },
    {
      name: "a detached function that takes no context",
      code: given(`detach(ctx, 1_000, () => work(background()));`),
    },
    {
      name: "a function without a current context",
      code: given(
        `runWithoutContext(() => work(background())); ctx.err();`,
        `import { runWithoutContext } from "eightysix/current";\n`,
      ),
    },
    {
      name: "a function of that name from elsewhere",
      code: `${start}import { background as other } from "./palette.js"; export function f(ctx: Context) { console.log(other(), ctx); }`,
      only: "syntax",
    },
    { name: "a context that is looked at", code: given(`console.log(background()); ctx.err();`) },
    {
      name: "the default of the parameter itself",
      code: `${start}export async function f(ctx: Context = background()) { await sleep(ctx, 1); }`,
    },
    `${start}export async function f(ctx = withCancel(background())) { await sleep(ctx, 1); }`,
    {
      name: "an optional context",
      code: `${start}export async function f(ctx?: Context) { await sleep(ctx ?? background(), 1); if (!ctx) await sleep(background(), 1); }`,
    },

    {
      name: "a parameter of the name of a function",
      code: given(
        `await each(() => 1); async function each(step: () => number) { step(); ctx.err(); }`,
      ),
    },
    {
      name: "a call with a context in a variable of any name",
      code: `${start}${work}export async function f(a: Context) { await work(a); }`,
    },
    {
      name: "a context in a variable without types",
      code: `import { sleep } from "eightysix"; export async function f(ctx, other) { await sleep(other, 1); ctx.err(); }`,
      filename: "script.js",
      only: "syntax",
    },

    {
      name: "a pool without a twin",
      code: `import pg from "pg"; const pool = new pg.Pool(); ${given(`await pool.query("select 1"); ctx.err();`)}`,
    },
    { name: "the twin", code: given(`await db.query(ctx, "select 1");`, pool) },
    {
      name: "what the twin has not",
      code: given(`pool.on("error", () => {}); await pool.end(); ctx.err();`, pool),
    },
    given(`const client = await pool.connect(); client.release(); ctx.err();`, pool),
    {
      name: "a callback, which the twin does not take",
      code: given(`pool.query("select 1", () => {}); ctx.err();`, pool),
    },
    {
      name: "the twin of another pool",
      code: `${pool} ${given(`const pool = new pg.Pool(); await pool.query("select 1"); ctx.err();`)}`,
    },
    {
      name: "a twin that is hidden",
      code: given(`const db = 1; await pool.query("select " + db); ctx.err();`, pool),
    },
    {
      name: "a twin beside no context",
      code: `${pool}export const f = () => pool.query("select 1");`,
    },
    {
      name: "a fragment of postgres.js",
      code: `import postgres from "postgres"; import { withContext } from "eightysix/postgres"; const sql = postgres(); const db = withContext(sql);\n${given("await db.query(ctx, sql`select ${sql`1`}`);")}`,
    },

    own(`return await work(ctx);`),
    own(`return ctx.err();`),
    {
      name: "a promise that was awaited before",
      code: own(`const id = await work(ctx); return id;`),
    },
    own(`return String(await work(ctx));`),
    {
      name: "an async generator awaits what it returns",
      code: own(`yield 1; return work(ctx);`, "async function* f()"),
    },
    { name: "work that the context does not end", code: own(`return work(withoutCancel(ctx));`) },
    own(`return shield(ctx, 1_000, (inner) => work(inner));`),
    own(`return stopped(ctx);`),
    {
      name: "a function that is returned, not called",
      code: own(`return () => work(withoutCancel(ctx));`),
    },
    {
      name: "a context of the function around",
      code: own(`return await Promise.all([1, 2].map((id) => { return work(ctx, id); }));`),
    },
    { name: "a context that does not end here", code: given(`list.push(1); return work(ctx);`) },
    {
      name: "a context whose block has ended",
      code: `${start}${work}export async function f(parent: Context) { { using ctx = withCancel(parent); await work(ctx); } return work(parent); }`,
    },
    ...[
      `const r = await cfetch(ctx, "http://a/"); return await r.json();`,
      `const r = await cfetch(ctx, "http://a/"); return r.status;`,
      `const r = await cfetch(ctx, "http://a/"); await r.text(); return r;`,
      `const r = await fetch("/"); await work(ctx); return r.json();`,
      `return await fetch("/", { method: "HEAD", signal: ctx.signal });`,
      `return (await cfetch(ctx, "http://a/")).headers.get("etag");`,
    ].map((body) => ({
      name: "a response whose body is not needed or has been read",
      code: cfetch + own(body),
    })),
    { name: "a promise of other work", code: own(`await work(ctx); return Promise.resolve(1);`) },
    {
      name: "a sync function that returns no promise",
      code: own(`return list(ctx);`, "function f(list: (ctx: Context) => number[]): unknown"),
    },
    {
      name: "a context that is canceled elsewhere",
      code: `${start}${work}export function f() { const ctx = withCancel(background()); setTimeout(() => ctx.cancel(), 5); return work(ctx); }`,
    },
  ],
  invalid: [
    fixes("root", given(`await work(todo());`), given(`await work(ctx);`)),
    ...["go", "tryGo"].flatMap((go) => [
      suggests(
        ["root", "pass"],
        given(
          `await group(ctx, (g) => { void g.${go}(() => db.query(background(), "a")); });`,
          pool,
        ),
        given(`await group(ctx, (g) => { void g.${go}(() => db.query(g.ctx, "a")); });`, pool),
        { name: "a task of a group" },
      ),
      suggests(
        ["twin", "useTwin"],
        given(`await group(ctx, (g) => { void g.${go}((own) => pool.query("a")); });`, pool),
        given(`await group(ctx, (g) => { void g.${go}((own) => db.query(own, "a")); });`, pool),
        { name: "a task of a group that takes its own context" },
      ),
    ]),
    fixes(
      "missing",
      given(`await group(ctx, (g) => { const task = () => sleep(5); void g.go(task); });`),
      given(`await group(ctx, (g) => { const task = () => sleep(g.ctx, 5); void g.go(task); });`),
      { name: "a task of a group in a variable" },
    ),
    fixes(
      "missing",
      given(`await group(ctx, async (g) => { await sleep(5); });`),
      given(`await group(ctx, async (g) => { await sleep(g.ctx, 5); });`),
      { name: "the body of a group" },
    ),
    ...[
      `await Promise.all([db.query(background(), "a"), db.query(ctx, "b")]);`,
      `console.log(await db.query(background(), "a"), await db.query(ctx, "b"));`,
      `await db.connection(ctx, async (c) => { await c.query(background(), "a"); });`,
      `const slow = db.query(background(), "a"); await Promise.all([slow, db.query(ctx, "b")]);`,
      `await work(background(), ctx.err() ? 1 : 2);`,
    ].map((code) =>
      suggests(
        ["root", "pass"],
        given(code, pool),
        given(code.replace("background()", "ctx"), pool),
        { name: "another argument of the call around gets the context" },
      ),
    ),
    suggests(["root", "pass"], given(`await work(background());`), given(`await work(ctx);`)),
    suggests(
      ["root", "pass"],
      given(`using own = withTimeout(background(), 5); await own;`),
      given(`using own = withTimeout(ctx, 5); await own;`),
      { name: "a context without its parent" },
    ),
    suggests(
      ["root", "pass"],
      `import * as e from "eightysix"; export async function f(parent: e.Context) { await e.sleep(e.background(), 1); }`,
      `import * as e from "eightysix"; export async function f(parent: e.Context) { await e.sleep(parent, 1); }`,
      { name: "a namespace" },
    ),
    suggests(
      ["root", "pass"],
      `import { root } from "./again.ts"; import { sleep, type Context } from "eightysix"; export async function f(ctx: Context) { await sleep(root(), 1); }`,
      `import { root } from "./again.ts"; import { sleep, type Context } from "eightysix"; export async function f(ctx: Context) { await sleep(ctx, 1); }`,
      { name: "a module that exports it again", only: "types" },
    ),
    suggests(
      ["root", "pass"],
      `const { background, sleep } = require("eightysix"); exports.f = async (ctx) => { await sleep(background(), 1); };`,
      `const { background, sleep } = require("eightysix"); exports.f = async (ctx) => { await sleep(ctx, 1); };`,
      { name: "CommonJS", filename: "common.cjs" },
    ),
    suggests(
      ["root", "pass"],
      given(`detach(ctx, 1_000, (inner) => work(background()));`),
      given(`detach(ctx, 1_000, (inner) => work(inner));`),
      { name: "a detached function has its own context" },
    ),
    suggests(
      ["root", "pass"],
      given(`await Promise.all(list.map((id) => work(background(), id)));`),
      given(`await Promise.all(list.map((id) => work(ctx, id)));`),
      { name: "a callback of map" },
    ),
    suggests(
      ["root", "pass"],
      given(`using own = withTimeout(ctx, 5); await work(background());`),
      given(`using own = withTimeout(ctx, 5); await work(own);`),
      { name: "a child of the given context" },
    ),
    suggests(
      ["root", "pass"],
      `${start}${work}export async function f(req: { ctx: Context }) { await work(background()); }`,
      `${start}${work}export async function f(req: { ctx: Context }) { await work(req.ctx); }`,
      { name: "the context of a request", only: "types" },
    ),

    fixes("missing", given(`await sleep(100);`), given(`await sleep(ctx, 100);`)),
    fixes("missing", given(`await work();`), given(`await work(ctx);`), {
      name: "a function of the file",
    }),
    fixes("missing", given(`await work(7);`), given(`await work(ctx, 7);`)),
    fixes("missing", given(`await work((7));`), given(`await work(ctx, (7));`)),
    fixes(
      "missing",
      given(`await db.query("select 1");`, pool),
      given(`await db.query(ctx, "select 1");`, pool),
      { name: "a driver with contexts" },
    ),
    fixes(
      "missing",
      given(`const id = 7; await work(id);`),
      given(`const id = 7; await work(ctx, id);`),
      { only: "types" },
    ),
    fixes(
      "missing",
      `import { sleep } from "eightysix"; export async function f(ctx) { await sleep(100); ctx.err(); }`,
      `import { sleep } from "eightysix"; export async function f(ctx) { await sleep(ctx, 100); ctx.err(); }`,
      { name: "JavaScript", filename: "script.js" },
    ),
    fixes(
      "missing",
      `import { fetch } from "eightysix/fetch"; ${given("await fetch(`http://127.0.0.1/${list[0]}`);")}`,
      `import { fetch } from "eightysix/fetch"; ${given("await fetch(ctx, `http://127.0.0.1/${list[0]}`);")}`,
    ),

    suggests(
      ["twin", "useTwin"],
      given(`await pool.query("select 1");`, pool),
      given(`await db.query(ctx, "select 1");`, pool),
    ),
    suggests(
      ["twin", "useTwin"],
      given(
        `await redis.get("a");`,
        `import { createClient } from "redis"; import { withContext } from "eightysix/redis"; const redis = createClient(); const cache = withContext(redis);\n`,
      ),
      given(
        `await cache.get(ctx, "a");`,
        `import { createClient } from "redis"; import { withContext } from "eightysix/redis"; const redis = createClient(); const cache = withContext(redis);\n`,
      ),
    ),
    suggests(
      ["twin", "useTwin"],
      given(
        `await pool.execute("select 1");`,
        `import mysql from "mysql2/promise"; import { withContext } from "eightysix/mysql2"; const pool = mysql.createPool("mysql://localhost"); const db = withContext(pool);\n`,
      ),
      given(
        `await db.execute(ctx, "select 1");`,
        `import mysql from "mysql2/promise"; import { withContext } from "eightysix/mysql2"; const pool = mysql.createPool("mysql://localhost"); const db = withContext(pool);\n`,
      ),
    ),
    suggests(
      ["twin", "useTwin"],
      `const pg = require("pg"); const { withContext } = require("eightysix/pg"); const pool = new pg.Pool(); const db = withContext(pool); exports.f = async (ctx) => await pool.query("select 1");`,
      `const pg = require("pg"); const { withContext } = require("eightysix/pg"); const pool = new pg.Pool(); const db = withContext(pool); exports.f = async (ctx) => await db.query(ctx, "select 1");`,
      { name: "a twin of CommonJS", filename: "common.cjs" },
    ),
    suggests(
      ["sql", "useTwin"],
      `import postgres from "postgres"; import { withContext } from "eightysix/postgres"; const sql = postgres(); const db = withContext(sql);\n${given("await sql`select ${list}`;")}`,
      `import postgres from "postgres"; import { withContext } from "eightysix/postgres"; const sql = postgres(); const db = withContext(sql);\n${given("await db.query(ctx, sql`select ${list}`);")}`,
    ),

    ...[
      [`const r = await fetch("/", { signal: ctx.signal }); `, `r.json()`],
      [`const r = await cfetch(ctx, "http://a/"); `, `r.text().then((text) => text.trim())`],
      [``, `(await cfetch(ctx, "http://a/")).json()`],
      [`const { signal } = ctx; const r = await fetch("/", { signal: ctx.signal }); `, `r.json()`],
    ].map(([before = "", value = ""]) =>
      fixes(
        "returned",
        cfetch + own(`${before}return ${value};`),
        cfetch + own(`${before}return await ${value};`),
        {
          name: "the body of a response",
        },
      ),
    ),
    ...[
      `return await cfetch(ctx, "http://a/");`,
      `return await fetch("/", { signal: ctx.signal });`,
      `const r = await fetch("/", { signal: ctx.signal }); return r;`,
    ].map((body) => ({
      name: "a response whose body nothing has read",
      code: cfetch + own(body),
      errors: [{ messageId: "body" }],
    })),
    fixes("returned", own(`return work(ctx);`), own(`return await work(ctx);`)),
    fixes("returned", own(`return sleep(ctx, 5);`), own(`return await sleep(ctx, 5);`)),
    fixes(
      "returned",
      own(`return Promise.all([work(ctx), 1]);`),
      own(`return await Promise.all([work(ctx), 1]);`),
    ),
    fixes(
      "returned",
      own(`return Promise.all([1, 2].map((id) => work(ctx, id)));`),
      own(`return await Promise.all([1, 2].map((id) => work(ctx, id)));`),
    ),
    fixes(
      "returned",
      own(`return work(ctx).then((id) => id + 1);`),
      own(`return await work(ctx).then((id) => id + 1);`),
    ),
    fixes(
      "returned",
      own(`return fetch("/", { signal: ctx.signal });`),
      own(`return await fetch("/", { signal: ctx.signal });`),
      { name: "the signal of the context" },
    ),
    fixes(
      "returned",
      own(
        `const { signal } = ctx; const early = ctx.signal; return fetch("/", { signal: early });`,
      ),
      own(
        `const { signal } = ctx; const early = ctx.signal; return await fetch("/", { signal: early });`,
      ),
    ),
    fixes(
      "returned",
      own(`const child = withTimeout(ctx, 5); return work(child);`),
      own(`const child = withTimeout(ctx, 5); return await work(child);`),
      { name: "a child of the context" },
    ),
    fixes(
      "returned",
      own(`const running = work(ctx); return running;`),
      own(`const running = work(ctx); return await running;`),
      { name: "a promise in a variable" },
    ),
    fixes(
      "returned",
      own(`return Math.random() > 1 ? null : work(ctx);`),
      own(`return await (Math.random() > 1 ? null : work(ctx));`),
      { name: "a condition" },
    ),
    fixes(
      "returned",
      own(`return new Promise((resolve) => afterFunc(ctx, () => resolve(1)));`),
      own(`return await new Promise((resolve) => afterFunc(ctx, () => resolve(1)));`),
    ),
    fixes(
      "returned",
      `${start}${work}export async function f() { const ctx = withCancel(background()); try { return work(ctx); } finally { ctx.cancel(); } }`,
      `${start}${work}export async function f() { const ctx = withCancel(background()); try { return await work(ctx); } finally { ctx.cancel(); } }`,
      { name: "a context that ends in finally" },
    ),
    fixes(
      "returned",
      `${start}import type { Pool } from "pg"; import { withContext } from "eightysix/pg"; export const load = async (pool: Pool) => { const db = withContext(pool); using ctx = withTimeout(background(), 5); return db.query(ctx, "select 1"); };`,
      `${start}import type { Pool } from "pg"; import { withContext } from "eightysix/pg"; export const load = async (pool: Pool) => { const db = withContext(pool); using ctx = withTimeout(background(), 5); return await db.query(ctx, "select 1"); };`,
      { name: "a driver with contexts" },
    ),
    suggests(
      ["returned", "awaitIt"],
      own(`try { return work(ctx); } catch { return 0; }`),
      own(`try { return await work(ctx); } catch { return 0; }`),
      { name: "a catch, which then catches the failure" },
    ),
    suggests(
      ["returned", "makeAsync"],
      own(`return work(ctx);`, "function f(): Promise<number>"),
      own(`return work(ctx);`, "async function f(): Promise<number>").replace(
        "return work",
        "return await work",
      ),
      { name: "a function that is not async" },
    ),
    suggests(
      ["returned", "makeAsync"],
      `${start}${work}export const api = { f() { using ctx = withCancel(background()); return work(ctx); } };`,
      `${start}${work}export const api = { async f() { using ctx = withCancel(background()); return await work(ctx); } };`,
      { name: "a method that is not async" },
    ),
    {
      name: "a getter",
      code: `${start}${work}export class A { get f() { using ctx = withCancel(background()); return work(ctx); } }`,
      errors: [{ messageId: "returned" }],
    },
    fixes(
      "returned",
      `${start}export async function f(load: (ctx: Context) => Promise<number>) { using ctx = withCancel(background()); return load(ctx); }`,
      `${start}export async function f(load: (ctx: Context) => Promise<number>) { using ctx = withCancel(background()); return await load(ctx); }`,
      { name: "a function that is a parameter" },
    ),
    fixes(
      "returned",
      own(`const g = group(ctx); g.go((inner) => work(inner)); return g.wait();`),
      own(`const g = group(ctx); g.go((inner) => work(inner)); return await g.wait();`),
      { name: "a group of the context", only: "types" },
    ),
    fixes(
      "returned",
      own(`return within(ctx, 5, (inner) => work(inner));`),
      own(`return await within(ctx, 5, (inner) => work(inner));`),
    ),
    fixes(
      "returned",
      own(`return orDone(ctx, Promise.resolve(1));`),
      own(`return await orDone(ctx, Promise.resolve(1));`),
    ),
  ],
});
