import { testRule } from "../../../test/support/eslint.ts";
import { noFatContext } from "./no-fat-context.ts";

const head = `import { background, key, sleep, withCancel, withoutCancel, withTimeout, withValue, type Context } from "eightysix"; declare const parent: Context; declare const condition: boolean; declare const items: string[]; const K = key<string>("k"); const wrap = (ctx: Context): Context => withoutCancel(ctx);
`;
const inFunction = (body: string): string =>
  `${head}export async function f(ctx: Context) {\n${body}\n}`;
const ok = (name: string, body: string, more: object = {}) => ({
  name,
  code: inFunction(body),
  ...more,
});

type Suggested = { messageId: string; output: string }[];
const becomes = (body: string): Suggested => [{ messageId: "constant", output: inFunction(body) }];
/** A finding in a loop. If `after` is given, it is the body after the suggestion. */
const loop = (name: string, body: string, after?: string, more: object = {}) => ({
  name,
  code: inFunction(body),
  errors: [{ messageId: "loop", ...(after === undefined ? {} : { suggestions: becomes(after) }) }],
  ...more,
});
const closure = (name: string, body: string, after?: string, more: object = {}) => ({
  ...loop(name, body, after),
  errors: [
    { messageId: "closure", ...(after === undefined ? {} : { suggestions: becomes(after) }) },
  ],
  ...more,
});

/** The patterns that fatcontext tests, in TypeScript: github.com/Crocmagnon/fatcontext, testdata. */
const go = {
  valid: [
    ok(
      "Go: a variable of the loop",
      `for (let i = 0; i < 10; i++) { let inner = withValue(ctx, K, "a"); inner = withValue(inner, K, "b"); await sleep(inner, i); }`,
    ),
    ok(
      "Go: replaced by an empty context first",
      `for (let i = 0; i < 10; i++) { ctx = background(); ctx = withValue(ctx, K, "a"); ctx = withValue(ctx, K, "b"); }`,
    ),
    ok("Go: a function that assigns an empty context", `return () => { ctx = background(); };`),
    ok(
      "Go: a function that assigns the context of its caller",
      `return (t: { context(): Context }) => { ctx = t.context(); };`,
    ),
    ok(
      "Go: made in the loop",
      `for (const item of items) { let inner = background(); if (item) inner = wrap(inner); await sleep(inner, 5); }`,
    ),
    ok(
      "Go: an object of the loop",
      `for (const item of items) { const own = { ctx }; own.ctx = withValue(own.ctx, K, item); own.ctx = withValue(own.ctx, K, "b"); }`,
    ),
    ok(
      "Go: an array of the loop",
      `for (const item of items) { const own = [{ ctx }] as const; (own[0] as { ctx: Context }).ctx = withValue(own[0].ctx, K, item); }`,
    ),
    ok(
      "Go: a variable of the inner function",
      `return () => { let inner = wrap(ctx); inner = wrap(inner); return sleep(inner, 5); };`,
    ),
    ok(
      "Go: a parameter of the inner function",
      `return (ctx: Context) => { ctx = wrap(ctx); return sleep(ctx, 5); };`,
    ),
    ok(
      "Go: a default in a field",
      `for (const one of [{ ctx: undefined as Context | undefined }]) { if (one.ctx === undefined) { one.ctx = background(); one.ctx = withValue(one.ctx, K, "a"); } }`,
    ),
    ok(
      "Go: once, outside of a loop",
      `ctx = withValue(ctx, K, "a"); ctx = withValue(ctx, K, "b"); await sleep(ctx, 5);`,
    ),
    ok(
      "unlike fatcontext: a loop that the assignment leaves",
      `for (const item of items) { if (item === "a") { ctx = wrap(ctx); break; } }
       for (;;) { ctx = wrap(ctx); break; }
       for (const item of items) { ctx = wrap(ctx); return item; }`,
    ),
  ],
  invalid: [
    loop(
      "Go: in a for loop",
      `for (let i = 0; i < 10; i++) { ctx = withValue(ctx, K, "a"); await sleep(ctx, i); }`,
      `for (let i = 0; i < 10; i++) { const inner = withValue(ctx, K, "a"); await sleep(inner, i); }`,
    ),
    loop(
      "Go: twice in a loop, one finding",
      `for (let i = 0; i < 10; i++) { ctx = withValue(ctx, K, "a"); ctx = withValue(ctx, K, "b"); }`,
    ),
    loop(
      "Go: another variable than the one that is replaced",
      `let other = background();
       for (const item of items) { ctx = background(); ctx = withValue(ctx, K, item); other = withValue(other, K, item); }`,
      `let other = background();
       for (const item of items) { ctx = background(); ctx = withValue(ctx, K, item); const inner = withValue(other, K, item); }`,
    ),
    loop(
      "Go: a wrapper",
      `for (const item of items) { ctx = wrap(ctx); await sleep(ctx, item.length); }`,
      `for (const item of items) { const inner = wrap(ctx); await sleep(inner, item.length); }`,
    ),
    loop(
      "Go: beside a variable of the same name in an inner block",
      `for (;;) { { let ctx = wrap(parent); ctx = wrap(ctx); } ctx = wrap(ctx); if (condition) break; }`,
      `for (;;) { { let ctx = wrap(parent); ctx = wrap(ctx); } const inner = wrap(ctx); if (condition) break; }`,
    ),
    loop(
      "Go: under if",
      `for (;;) { if (condition) { ctx = wrap(ctx); await sleep(ctx, 5); } }`,
      `for (;;) { if (condition) { const inner = wrap(ctx); await sleep(inner, 5); } }`,
    ),
    loop(
      "Go: in a case",
      `for (const item of items) { switch (item) { case "a": ctx = wrap(ctx); } }`,
    ),
    loop(
      "Go: in the default",
      `for (const item of items) { switch (item) { default: ctx = wrap(ctx); } }`,
    ),
    loop(
      "Go: in a block",
      `for (;;) { { ctx = wrap(ctx); } }`,
      `for (;;) { { const inner = wrap(ctx); } }`,
    ),
    loop(
      "Go: a field of an object from outside",
      `const own = { ctx }; for (const item of items) { own.ctx = withValue(own.ctx, K, item); }`,
    ),
    loop(
      "Go: a field of an object from outside, by another name",
      `const own = { ctx }; for (const item of items) { const c = own; c.ctx = withValue(c.ctx, K, item); }`,
    ),
    loop(
      "Go: a field of an element",
      `const own: [{ ctx: Context }] = [{ ctx }]; for (const item of items) { own[0].ctx = withValue(own[0].ctx, K, item); }`,
    ),
    closure(
      "Go: in a function literal",
      `return () => { ctx = wrap(ctx); };`,
      `return () => { const inner = wrap(ctx); };`,
    ),
    closure(
      "Go: middleware that nests the context of the outer function",
      `return () => { ctx = wrap(ctx); return sleep(ctx, 5); };`,
      `return () => { const inner = wrap(ctx); return sleep(inner, 5); };`,
    ),
  ],
};

testRule(noFatContext, {
  valid: [
    ...go.valid,
    ok(
      "a fold over values, whose keys differ",
      `const keys = [K]; for (const key of keys) ctx = withValue(ctx, key, "a"); await sleep(ctx, 5);`,
    ),
    ok(
      "a key of each turn",
      `for (const item of items) ctx = withValue(withCancel(ctx), key(item), 1); await sleep(ctx, 5);`,
    ),
    ok(
      "a chain that is also stored",
      `const all: Context[] = []; for (const item of items) all[item.length] = ctx = withCancel(ctx);`,
    ),
    ok(
      "a fold over functions",
      `const steps = [wrap]; for (const step of steps) ctx = step(ctx); await sleep(ctx, 5);`,
    ),
    ok(
      "a new context from the parent in each turn",
      `for (const item of items) { ctx = withValue(parent, K, item); await sleep(ctx, 5); }`,
    ),
    ok(
      "a function that runs once",
      `await (async () => { ctx = wrap(ctx); })();
       await new Promise<void>((resolve) => { ctx = wrap(ctx); resolve(); });
       await sleep(ctx, 5).then(() => { ctx = wrap(ctx); });
       process.once("SIGHUP", () => { ctx = wrap(ctx); });`,
    ),
    {
      name: "main",
      code: `${head}let root: Context = background(); async function main() { root = withValue(root, K, "a"); await sleep(root, 5); } await main();`,
    },
    ok(
      "the field of a request in middleware",
      `return (req: { ctx: Context }) => { req.ctx = withValue(req.ctx, K, "a"); };`,
    ),
    ok(
      "the field of each request",
      `for (const req of [{ ctx }]) req.ctx = withValue(req.ctx, K, "a");`,
    ),
    ok(
      "the fields of an array",
      `const all = [{ ctx }]; for (let i = 0; i < all.length; i++) all[i]!.ctx = withValue(all[i]!.ctx, K, "a");`,
    ),
    ok(
      "a retry that returns",
      `for (;;) { try { ctx = withTimeout(ctx, 5); return; } finally { console.log("done"); } }`,
    ),
    ok(
      "another value",
      `let n = 0; const more = (n: number) => n + 1; for (const item of items) { n = more(n); console.log(item); }`,
    ),
  ],
  invalid: [
    ...go.invalid,
    loop("a chain of calls", `while (condition) ctx = withValue(withCancel(ctx), K, "a");`),
    loop("while", `while (condition) ctx = withCancel(ctx);`),
    loop(
      "a cancelable context",
      `do { ctx = withTimeout(ctx, 5); await sleep(ctx, 5); } while (condition);`,
      `do { using inner = withTimeout(ctx, 5); await sleep(inner, 5); } while (condition);`,
    ),
    loop(
      "for await",
      `for await (const item of items) { ctx = withValue(ctx, K, item); }`,
      `for await (const item of items) { const inner = withValue(ctx, K, item); }`,
    ),
    loop(
      "continue",
      `for (const item of items) { if (item) { ctx = wrap(ctx); continue; } break; }`,
      `for (const item of items) { if (item) { const inner = wrap(ctx); continue; } break; }`,
    ),
    loop(
      "a retry in catch",
      `for (;;) { try { await sleep(ctx, 5); return; } catch { ctx = wrap(ctx); } }`,
      `for (;;) { try { await sleep(ctx, 5); return; } catch { const inner = wrap(ctx); } }`,
    ),
    loop("in a generator", ``, undefined, {
      code: `${head}export function* g(ctx: Context) { for (;;) { yield ctx; ctx = withValue(ctx, K, "a"); } }`,
      errors: [{ messageId: "loop", suggestions: 1 }],
    }),
    loop(
      "a shorthand property, and a name that is taken",
      `const inner = 5; for (const item of items) { ctx = withValue(ctx, K, item); console.log({ ctx, inner }); }`,
      `const inner = 5; for (const item of items) { const inner2 = withValue(ctx, K, item); console.log({ ctx: inner2, inner }); }`,
    ),
    loop(
      "no suggestion if code behind the loop reads it",
      `for (const item of items) { ctx = withValue(ctx, K, item); } await sleep(ctx, 5);`,
    ),
    {
      name: "a loop of the module",
      code: `${head}let ctx: Context = background(); for (const item of items) { ctx = withValue(ctx, K, item); }`,
      errors: [{ messageId: "loop", suggestions: 1 }],
    },
    {
      name: "this.ctx in a loop",
      code: `${head}export class A { ctx = parent; run() { for (const item of items) this.ctx = withValue(this.ctx, K, item); } }`,
      errors: [{ messageId: "loop" }],
    },
    {
      name: "a variable of the module, in a function",
      code: `${head}let root: Context = background(); export function use(value: string) { root = withValue(root, K, value); }`,
      errors: [{ messageId: "closure", suggestions: 1 }],
    },
    closure(
      "an async arrow function, in only some of its ways",
      `return async () => { if (condition) ctx = background(); ctx = wrap(ctx); await sleep(ctx, 5); };`,
      undefined,
      { errors: [{ messageId: "closure", suggestions: 1 }] },
    ),
    {
      name: "CommonJS and an alias",
      filename: "common.cjs" as const,
      code: `const { withValue: add, background, key } = require("eightysix"); const K = key("k"); let ctx = background(); for (const item of ["a"]) { ctx = add(ctx, K, item); }`,
      errors: [{ messageId: "loop", suggestions: 1 }],
    },
    {
      name: "a function that is not known",
      filename: "script.js" as const,
      only: "syntax" as const,
      code: `import { withRequest } from "./request.js"; import { sleep } from "eightysix"; export async function f(ctx) { for (;;) { ctx = withRequest(ctx); await sleep(ctx, 5); } }`,
      errors: [{ messageId: "loop", suggestions: 1 }],
    },
  ],
});
