import { testRule } from "../../../test/support/eslint.ts";
import { noFloatingWork } from "./no-floating-work.ts";

const head = `import { afterFunc, all, background, detach, group, shield, sleep, stopped, withoutCancel, withTimeout, type Context } from "eightysix";
declare function log(error: unknown): void;
async function work(ctx: Context, x?: unknown): Promise<number> { await sleep(ctx, 1); return Number(x); }
const save = async (ctx: Context): Promise<void> => { await sleep(ctx, 1); };
`;
/** A function that takes a context. */
const takes = (body: string) =>
  `${head}export function f(ctx: Context, items: number[]) { ${body} }`;
const takesAsync = (body: string) =>
  takes(body).replace("export function", "export async function");

const floats = { messageId: "value", suggestions: 1 };
const callback = (name: string) => ({ messageId: "callback", data: { name } });
const variable = (name: string) => ({ messageId: "variable", data: { name } });

testRule(noFloatingWork, {
  valid: [
    // Something waits.
    takesAsync(`await work(ctx);`),
    takes(`return work(ctx);`),
    takes(`return Promise.all([work(ctx), save(ctx)]);`),
    takes(`return work(ctx).then(log, log);`),
    takesAsync(`const p = work(ctx); log(1); await p;`),
    takesAsync(`const p = work(ctx); p.catch(log); await p;`),
    takesAsync(
      `const all = []; for (const x of items) all.push(work(ctx, x)); await Promise.all(all);`,
    ),
    takesAsync(`let p; p = work(ctx); await p;`),
    takesAsync(`const jobs = items.map((x) => work(ctx, x)); await Promise.all(jobs);`),
    takesAsync(`await all(ctx, items.map((x) => (ctx) => work(ctx, x)));`),
    takes(`return { work: work(ctx) };`),
    `${head} export const f = (ctx: Context) => work(ctx);`,
    `${head} export const f = (ctx: Context) => ({ then: work(ctx).then(log) });`,
    `${head} export class A { #p: Promise<number> | undefined; start(ctx: Context) { this.#p = work(ctx); } stop() { return this.#p; } }`,
    `${head} export async function* f(ctx: Context) { yield work(ctx); yield await work(ctx); }`,
    {
      name: "a group waits",
      code: takes(
        `return group(ctx, (g) => { for (const x of items) void g.go((ctx) => work(ctx, x)); });`,
      ),
    },
    takes(`detach(ctx, 1_000, (ctx) => work(ctx)); detach(ctx, 1_000, save);`),
    takes(
      `afterFunc(ctx, () => work(background())); afterFunc(ctx, async () => { await stopped(ctx); });`,
    ),
    takes(`void stopped(ctx).then(log); void shield(ctx, 1_000, save).catch(log);`),
    {
      name: "the outcome is handed on to a callback",
      code: takes(`return new Promise((resolve, reject) => { work(ctx).then(resolve, reject); });`),
    },
    `${head} export function f(ctx: Context, next: (error?: unknown) => void) { work(ctx).catch(next); }`,
    `${head} export function f(ctx: Context, then: (error?: unknown) => void) { work(ctx).then(() => { then(); }, (error) => { then(error); }); }`,
    `${head} export function f(ctx: Context, res: { status(n: number): { end(x: string): void } }) { work(ctx).then((n) => { res.status(200).end(String(n)); }); }`,
    {
      name: "both outcomes are stored",
      code: takes(
        `const seen: unknown[] = []; work(ctx).then((n) => (seen[0] = n), (e) => (seen[1] = e)); return seen;`,
      ),
    },
    {
      name: "a context of its own",
      code: `${head} export function start() { const ctx = background(); void work(ctx); void save(background()); }`,
    },
    { name: "the main program", code: `${head} work(background()).catch(log);` },
    takes(`void work(withoutCancel(ctx));`),
    takes(`ctx.err(); void ctx.signal; log(ctx); void log(ctx);`),
    {
      name: "a function that returns no promise",
      code: `${head} function set(ctx: Context) { return ctx.err(); } export function f(ctx: Context) { set(ctx); void set(ctx); }`,
    },
    {
      name: "a query builder that is a thenable",
      code: `${head} interface Query { with(ctx: Context): Query; then(f: (x: number) => void): void } declare const query: Query; export function f(ctx: Context) { query.with(ctx); }`,
    },
    {
      name: "a promise that may not be one",
      code: `${head} declare function tell(ctx: Context): void | Promise<void>; export function f(ctx: Context) { tell(ctx); }`,
    },
    {
      name: "a forEach that waits",
      code: `${head} declare const cursor: { forEach(fn: (x: number) => unknown): Promise<void> }; export async function f(ctx: Context) { await cursor.forEach(async (x) => { await work(ctx, x); }); }`,
    },
    {
      name: "a listener's promise that a function of the user may wait for",
      code: `${head} declare function onMessage(fn: () => Promise<number>): void; export function f(ctx: Context) { onMessage(() => work(ctx)); onMessage(async () => { return await work(ctx); }); }`,
    },
    {
      name: "a closure that only cancels",
      code: `${head} export function f(items: number[]) { using ctx = withTimeout(background(), 1); void (async () => { await Promise.resolve(items); ctx.cancel(); })(); }`,
    },
    {
      name: "another sleep",
      code: `declare function sleep(ctx: object, ms: number): void; export function f(ctx: object) { sleep(ctx, 1); }`,
    },
    {
      name: "work from elsewhere, which may return anything",
      code: `import { type Context } from "eightysix"; import { work } from "./work.js"; export function f(ctx: Context) { work(ctx); }`,
      only: "syntax",
    },
  ],
  invalid: [
    {
      code: takesAsync(`work(ctx);`),
      errors: [
        {
          messageId: "value",
          suggestions: [
            { messageId: "await", output: takesAsync(`await work(ctx);`) },
            {
              messageId: "detach",
              output: takesAsync(`detach(ctx, 10_000, (ctx) => work(ctx));`),
            },
          ],
        },
      ],
    },
    {
      code: takes(`void work(ctx, items);`),
      errors: [
        {
          messageId: "value",
          suggestions: [
            {
              messageId: "detach",
              output: takes(`detach(ctx, 10_000, (ctx) => work(ctx, items));`),
            },
          ],
        },
      ],
    },
    {
      name: "detach is imported where it is missing",
      code: `import { sleep, type Context } from "eightysix"; export function f(ctx: Context) { sleep(ctx, 1).catch(() => {}); }`,
      errors: [
        {
          messageId: "value",
          suggestions: [
            {
              messageId: "detach",
              output: `import { sleep, type Context, detach } from "eightysix"; export function f(ctx: Context) { detach(ctx, 10_000, (ctx) => sleep(ctx, 1).catch(() => {})); }`,
            },
          ],
        },
      ],
    },
    {
      name: "another detach is in the way",
      code: `import { sleep, type Context } from "eightysix"; export function f(ctx: Context, detach: unknown) { sleep(ctx, 1); return detach; }`,
      errors: [{ messageId: "value" }],
    },
    {
      name: "an argument that waits can't move into detach",
      code: `${head}export async function f(ctx: Context, p: Promise<number>) { void work(ctx, await p); }`,
      errors: [
        {
          messageId: "value",
          suggestions: [
            {
              messageId: "await",
              output: `${head}export async function f(ctx: Context, p: Promise<number>) { await work(ctx, await p); }`,
            },
          ],
        },
      ],
    },
    { code: takes(`work(ctx).catch(log);`), errors: [floats] },
    { code: takes(`work(ctx).then(log).catch(() => {}).finally(() => {});`), errors: [floats] },
    { code: takes(`items.length > 0 && work(ctx);`), errors: [floats] },
    { code: takes(`items.length > 0 ? void work(ctx) : log(1);`), errors: [floats] },
    { code: takes(`log(1), work(ctx);`), errors: [{ messageId: "value" }] },
    { code: takes(`void Promise.all([work(ctx), save(ctx)]);`), errors: [floats] },
    { code: takes(`void Promise.all(items.map((x) => work(ctx, x)));`), errors: [floats] },
    { code: takes(`void (work(ctx) as Promise<unknown>);`), errors: [floats] },
    { code: takes(`void work((ctx satisfies Context)!);`), errors: [floats] },
    { code: `${head} export const f = (ctx: Context) => void work(ctx);`, errors: [floats] },
    { code: takes(`const p = work(ctx); log(1);`), errors: [variable("p")] },
    { code: takes(`const p = work(ctx); p.catch(log);`), errors: [variable("p")] },
    { code: takes(`let p; p = work(ctx); void p;`), errors: [variable("p")] },
    { code: takes(`const jobs = items.map((x) => work(ctx, x));`), errors: [variable("jobs")] },
    {
      code: takes(`items.forEach(async (x) => { await work(ctx, x); });`),
      errors: [callback("forEach")],
    },
    { code: takes(`items.forEach((x) => work(ctx, x));`), errors: [callback("forEach")] },
    {
      code: takes(`items.forEach((x) => { return work(ctx, x); });`),
      errors: [callback("forEach")],
    },
    { code: takes(`items.map(async (x) => work(ctx, x));`), errors: [callback("map")] },
    {
      name: "a timer",
      code: takes(
        `setTimeout(() => work(ctx), 10); setInterval(async () => { await work(ctx); }, 10);`,
      ),
      errors: [callback("setTimeout"), callback("setInterval")],
    },
    {
      name: "an async function that is called at once",
      code: takes(`void (async () => { await work(ctx); })(); (() => work(ctx))();`),
      errors: [floats, floats],
    },
    {
      name: "an async function that takes the context from around it",
      code: takes(`const run = async () => { await work(ctx); }; void run();`),
      errors: [floats],
    },
    {
      name: "a callback of then",
      code: takes(`Promise.resolve(1).then(() => work(ctx));`),
      errors: [floats],
    },
    {
      name: "a child of the context",
      code: takes(`using inner = withTimeout(ctx, 10); void work(inner);`),
      errors: [floats],
    },
    {
      name: "the context of a group, whose group does not see it",
      code: takes(`return group(ctx, (g) => { void work(g.ctx); });`),
      errors: [{ messageId: "value" }],
    },
    {
      name: "a group that nothing waits for",
      code: takes(`void group(ctx, (g) => { void g.go(save); });`),
      errors: [floats],
    },
    {
      name: "fetch with the signal of the context",
      code: `import type { Context } from "eightysix"; export function f(ctx: Context) { void fetch("http://x/", { signal: ctx.signal }); }`,
      errors: [floats],
    },
    {
      name: "a driver",
      code: `import pg from "pg"; import { withContext } from "eightysix/pg"; import { handler } from "eightysix/http"; const db = withContext(new pg.Pool()); export const h = handler((ctx, req, res) => { void db.query(ctx, "select 1"); res.end(req.url); });`,
      errors: [floats],
    },
    {
      name: "methods of the same class",
      code: `${head} export class A { async #load(ctx: Context) { await sleep(ctx, 1); } save = async (ctx: Context) => { await sleep(ctx, 1); }; f(ctx: Context) { void this.#load(ctx); this.save(ctx); } }`,
      errors: [floats, floats],
    },
    {
      name: "CommonJS",
      code: `const { sleep } = require("eightysix"); async function work(ctx) { await sleep(ctx, 1); } exports.f = function (ctx) { void work(ctx); };`,
      filename: "common.cjs",
      only: "syntax",
      errors: [floats],
    },
    {
      name: "work from elsewhere",
      code: `${head} declare const far: { load(ctx: Context): Promise<void>; opt?(options: { ctx: Context }): Promise<void> & { cancel(): void } }; export function f(ctx: Context) { far.load(ctx); far.opt?.({ ctx }); }`,
      only: "types",
      errors: [floats, floats],
    },
    {
      name: "work from elsewhere, whose result has a catch",
      code: `${head} declare const far: { load(ctx: Context): Promise<void> }; export function f(ctx: Context) { far.load(ctx).catch(log); }`,
      errors: [floats],
    },
    {
      name: "the context of a request",
      code: `import { type Context, sleep } from "eightysix"; export function f(req: { ctx: Context }) { void sleep(req.ctx, 1); }`,
      errors: [
        {
          messageId: "value",
          suggestions: [
            {
              messageId: "detach",
              output: `import { type Context, sleep, detach } from "eightysix"; export function f(req: { ctx: Context }) { detach(req.ctx, 10_000, (ctx) => sleep(ctx, 1)); }`,
            },
          ],
        },
      ],
    },
    {
      name: "the context of a request, where ctx is something else",
      code: `import { type Context, sleep } from "eightysix"; export function f(req: { ctx: Context }, ctx: string) { void sleep(req.ctx, ctx.length); }`,
      errors: [{ messageId: "value" }],
    },
  ],
});
