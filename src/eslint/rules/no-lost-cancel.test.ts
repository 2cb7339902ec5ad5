import { testRule } from "../../../test/support/eslint.ts";
import { noLostCancel } from "./no-lost-cancel.ts";

/** What the cases import and use. It is one line, so the lines of a case begin with 2. */
const head = `import { afterFunc, interval, key, merge, sleep, withCancel, withDeadline, withSignal, withTimeout, withValue, type CancelableContext, type Context } from "eightysix"; declare const parent: Context; declare const condition: boolean; declare const some: number; declare function work(ctx: Context): Promise<string>;
`;
const inFunction = (body: string): string => `${head}export async function f() {\n${body}\n}`;

const ok = (name: string, body: string, more: object = {}) => ({
  name,
  code: inFunction(body),
  ...more,
});
const whole = (name: string, code: string, more: object = {}) => ({
  name,
  code: head + code,
  ...more,
});

interface Error {
  messageId: string;
  line?: number;
  data?: Record<string, unknown>;
  suggestions?: { messageId: string; output: string }[] | undefined;
}
/** A case with one error. If `using` is given, it is the only suggestion; else there is none. */
const bad = (name: string, body: string, error: Error, more: object = {}) => {
  const code = inFunction(body);
  return { name, code, errors: [error], ...more };
};
/** The suggestion that replaces the first `const` of the body. */
const using = (body: string): Error["suggestions"] => [
  { messageId: "using", output: inFunction(body.replace("const", "using")) },
];
const lost = (name: string, body: string, messageId = "path", more: object = {}) =>
  bad(name, body, { messageId, suggestions: using(body) }, more);

/** The patterns that Go's `vet` tests, in TypeScript: x/tools/go/analysis/passes/lostcancel/testdata. */
const go = {
  valid: [
    ok("Go: defer cancel()", `using ctx = withCancel(parent); await work(ctx);`),
    ok(
      "Go: canceled, or an endless loop",
      `const ctx = withCancel(parent);
       if (condition) ctx.cancel(); else for (;;) console.log(0);`,
    ),
    ok(
      "Go: a switch in which every other way does not return",
      `const ctx = withCancel(parent);
       switch (some) {
         case 0: process.abort();
         case 1: process.exit(2);
         case 2: ctx.cancel(); break;
         case 3: console.log("hi");
         default: process.exit(1);
       }`,
    ),
    ok("Go: a result that the caller gets", `const ctx = withCancel(parent); return ctx;`),
    whole(
      "Go: a result of a function literal",
      `export const f = () => { const ctx = withCancel(parent); return { ctx, stop: () => ctx.cancel() }; };`,
    ),
    ok(
      "Go: assigned by an inner function, canceled by the outer one",
      `let ctx: CancelableContext | undefined;
       (() => { ctx = withCancel(parent); })();
       (ctx as CancelableContext | undefined)?.cancel();`,
    ),
    whole(
      "Go: main, whose end ends the process",
      `async function main() { const ctx = withCancel(parent); await work(ctx); }
       await main();`,
    ),
    whole(
      "Go: a method withCancel of something else",
      `declare const own: { withCancel(parent: Context): Context };
       export function f() { const ctx = own.withCancel(parent); return work(ctx); }`,
    ),
  ],
  invalid: [
    lost(
      "Go: used under if (declaration)",
      `const ctx = withCancel(parent); if (condition) ctx.cancel();`,
    ),
    lost(
      "Go: used under if (deadline)",
      `const ctx = withDeadline(parent, 5); if (condition) ctx.cancel();`,
    ),
    bad(
      "Go: used under if (assignment)",
      `let ctx: CancelableContext;
       ctx = withTimeout(parent, 0);
       if (condition) ctx.cancel();`,
      { messageId: "path" },
    ),
    bad(
      "Go: the cancel function is not bound",
      `let ctx: Context = withCancel(parent);
       ctx = withTimeout(parent, 0);
       ctx = withDeadline(parent, 0);
       await work(ctx);`,
      { messageId: "turn" },
      {
        errors: [{ messageId: "turn" }, { messageId: "turn" }, { messageId: "never" }],
      },
    ),
    lost(
      "Go: a return behind an if that cancels",
      `const ctx = withCancel(parent);
       if (condition) { ctx.cancel(); }
       return;`,
    ),
    lost(
      "Go: canceled, or a loop that ends",
      `const ctx = withCancel(parent);
       if (condition) { ctx.cancel(); } else { for (let i = 0; i < 10; i++) console.log(0); }`,
    ),
    lost(
      "Go: a case that falls through to the end",
      `const ctx = withCancel(parent);
       switch (some) {
         case 0: process.abort();
         case 1: process.exit(2);
         case 2: ctx.cancel(); break;
         case 3: console.log("hi"); break;
         default: process.exit(1);
       }`,
    ),
    lost(
      "Go: one case of a select",
      `const ctx = withCancel(parent);
       switch (await work(parent)) {
         case "a": process.abort();
         case "b": console.log("hi"); break;
         case "c": ctx.cancel(); break;
         default: process.exit(1);
       }`,
    ),
    lost(
      "Go: a function that is started and not awaited",
      `void (async () => {
         const ctx = withCancel(parent);
         if (condition) ctx.cancel();
         await work(ctx);
       })();`,
    ),
    whole(
      "Go: a generic function",
      `export function f<T>(value: T): T { const ctx = withCancel(parent); if (condition) ctx.cancel(); return value; }`,
      {
        errors: [
          {
            messageId: "path",
            suggestions: [
              {
                messageId: "using",
                output: `${head}export function f<T>(value: T): T { using ctx = withCancel(parent); if (condition) ctx.cancel(); return value; }`,
              },
            ],
          },
        ],
      },
    ),
  ],
};

testRule(noLostCancel, {
  valid: [
    ...go.valid,
    ok("await using", `await using ctx = withCancel(parent); await work(ctx);`),
    ok(
      "canceled in finally",
      `const ctx = withTimeout(parent, 5);
       try { return await work(ctx); } finally { ctx.cancel(); }`,
    ),
    ok(
      "disposed of in finally",
      `const ctx = withTimeout(parent, 5);
       try { return await work(ctx); } finally { ctx[Symbol.dispose](); }`,
    ),
    ok(
      "canceled in the finally of a loop with continue and break",
      `for (const one of [1, 2]) {
         const ctx = withTimeout(parent, one);
         try { if (condition) continue; if (one > some) break; await work(ctx); } finally { ctx.cancel(); }
       }`,
    ),
    ok(
      "a continue of the outer loop through finally",
      `outer: for (const one of [1, 2]) {
         const ctx = withTimeout(parent, one);
         try { for (;;) { if (condition) continue outer; await work(ctx); } } finally { ctx.cancel(); }
       }`,
    ),
    ok(
      "canceled at the end",
      `const ctx = withCancel(parent); console.log(ctx.err()); ctx.cancel();`,
    ),
    ok(
      "canceled on each way",
      `const ctx = withCancel(parent);
       if (condition) { ctx.cancel(new Error("no")); throw new Error("no"); }
       ctx.cancel();`,
    ),
    ok(
      "canceled in the catch and behind the await",
      `const ctx = withCancel(parent);
       try { await work(ctx); ctx.cancel(); } catch (error) { ctx.cancel(error); throw error; }`,
    ),
    ok("yielded", ``, {
      code: `${head}export function* g() { const ctx = withCancel(parent); yield ctx; }`,
    }),
    ok("canceled behind a yield", ``, {
      code: `${head}export function* g() { const ctx = withCancel(parent); yield 1; ctx.cancel(); }`,
    }),
    ok(
      "optional: canceled if there is one",
      `const ctx = condition ? withTimeout(parent, some) : undefined;
       try { await work(ctx ?? parent); } finally { ctx?.cancel(); }`,
    ),
    ok(
      "optional: bound under a condition, canceled under the same",
      `let ctx: CancelableContext | undefined;
       if (some > 0) ctx = withTimeout(parent, some);
       await work(ctx ?? parent);
       if (ctx !== undefined) ctx.cancel();`,
    ),
    ok(
      "a way back whose context has ended",
      `const ctx = withTimeout(parent, 5);
       while (condition) { await work(ctx); if (ctx.err()) return; }
       ctx.cancel();`,
    ),
    ok(
      "a loop that runs until the context has ended",
      `const ctx = withTimeout(parent, 5);
       while (!ctx.err()) await work(ctx);`,
    ),
    ok(
      "a loop that runs until the signal has aborted",
      `const ctx = withTimeout(parent, 5);
       while (!ctx.signal.aborted) await work(ctx);`,
    ),
    whole(
      "stored in a field",
      `export class Job { ctx?: CancelableContext; start() { const ctx = withCancel(parent); this.ctx = ctx; } again() { this.ctx = withCancel(parent); } own = withCancel(parent); }`,
    ),
    ok(
      "stored in a Map, an array, an object",
      `const all = new Map<string, CancelableContext>();
       const list: CancelableContext[] = [];
       const ctx = withCancel(parent); all.set("a", ctx);
       const other = withCancel(parent); list.push(other);
       const third = withCancel(parent);
       list.push(withCancel(parent));
       all.set("b", withTimeout(parent, 5));
       return { all, list, third, fourth: withCancel(parent), more: [withCancel(parent)] };`,
    ),
    whole(
      "assigned to a variable of the module",
      `let current: CancelableContext | undefined;
       export function restart() { current?.cancel(); current = withCancel(parent); }
       export function again() { const ctx = withCancel(parent); current = ctx; }`,
    ),
    whole(
      "assigned to a variable of the outer function",
      `export function f() { let ctx: CancelableContext | undefined; return { start() { ctx = withCancel(parent); }, stop() { ctx?.cancel(); } }; }`,
    ),
    ok(
      "given to a stack",
      `using stack = new DisposableStack();
       const ctx = stack.use(withCancel(parent));
       const other = withCancel(parent); stack.use(other);
       const third = withCancel(parent); stack.defer(() => third.cancel());
       const fourth = withCancel(parent); stack.adopt(fourth, (one) => one.cancel());
       await work(ctx);`,
    ),
    ok(
      "canceled by a function that is passed on",
      `const a = withCancel(parent); afterFunc(parent, () => a.cancel());
       const b = withCancel(parent); process.once("SIGTERM", () => b.cancel());
       const c = withCancel(parent); parent.signal.addEventListener("abort", () => { c.cancel(); });
       const d = withCancel(parent); setTimeout(() => d.cancel(), 5);
       const e = withCancel(parent); void work(e).finally(() => e.cancel());
       const g = withCancel(parent); process.on("exit", function () { g[Symbol.dispose](); });
       const h = withCancel(parent); const stop = () => h.cancel(); return stop;`,
    ),
    whole(
      "canceled by t.after",
      `import { test } from "node:test"; test("one", (t) => { const ctx = withCancel(parent); t.after(() => ctx.cancel()); });`,
    ),
    ok(
      "canceled by a function declaration",
      `const ctx = withCancel(parent);
       await work(ctx);
       return { stop };
       function stop() { ctx.cancel(); }`,
    ),
    ok(
      "canceled by a function that was made before",
      `let ctx: CancelableContext | undefined;
       process.once("SIGTERM", () => ctx?.cancel());
       ctx = withCancel(parent);
       await work(ctx);`,
    ),
    ok(
      "bound by a class that cancels it",
      `const ctx = withCancel(parent);
       return class { stop() { ctx.cancel(); } };`,
    ),
    ok(
      "cancel bound to its context",
      `const ctx = withCancel(parent); process.once("exit", ctx.cancel.bind(ctx));`,
    ),
    ok("ended at once", `withCancel(parent).cancel();`),
    whole(
      "passed as a CancelableContext or a Disposable",
      `declare function own(ctx: CancelableContext): void; declare function end(one: Disposable): void; declare function any(one: unknown): void;
       export function f() { const a = withCancel(parent); own(a); const b = withCancel(parent); end(b); own(withCancel(parent)); end(withCancel(parent)); any(withCancel(parent)); }`,
      { only: "types" },
    ),
    whole(
      "passed to a function of the file that ends it",
      `function own(ctx: CancelableContext) { ctx.cancel(); }
       function end(one: Disposable) { one[Symbol.dispose](); }
       export function f() { const a = withCancel(parent); own(a); const b = withCancel(parent); end(b); own(withCancel(parent)); }`,
    ),
    {
      name: "JavaScript: passed to a function of the file that ends it",
      filename: "script.js" as const,
      code: `import { withCancel, background } from "eightysix";
        function finish(one) { later(one); }
        function later(one) { setTimeout(() => one.cancel(), 5); }
        export function f() { const ctx = withCancel(background()); finish(ctx); }`,
    },
    whole(
      "passed by name to what sounds like an owner",
      `declare const registry: { register(ctx: CancelableContext): void }; export function f() { const ctx = withCancel(parent); registry.register(ctx); }`,
    ),
    whole("bound by the module", `const ctx = withCancel(parent); await work(ctx);`),
    whole("bound in a block of the module", `{ const ctx = withCancel(parent); await work(ctx); }`),
    {
      name: "CommonJS: bound by the module",
      filename: "common.cjs" as const,
      code: `const { withCancel, background } = require("eightysix"); const ctx = withCancel(background()); ctx.err();`,
    },
    whole(
      "a getter of another's context",
      `declare const jobs: Map<string, CancelableContext>;
       declare function getContext(id: string): CancelableContext;
       class Pool { #ctx = withCancel(parent); context(): CancelableContext { return this.#ctx; } }
       export function f(pool: Pool) { const a = jobs.get("a"); const b = getContext("b"); const c = pool.context(); return [a?.err(), b.err(), c.err()]; }`,
    ),
    whole(
      "an owner that keeps what it makes",
      `class Lazy { #ctx: CancelableContext | undefined; context(): CancelableContext { return (this.#ctx ??= withCancel(parent)); } }
       export function f(one: Lazy) { const ctx = one.context(); return ctx.err(); }`,
    ),
    ok(
      "given to something that may be missing",
      `const stack = condition ? new DisposableStack() : undefined;
       const ctx = withCancel(parent);
       stack?.defer(() => ctx.cancel());
       await work(ctx);`,
    ),
    whole(
      "an owner that cancels what it makes",
      `const all: CancelableContext[] = [];
       function owned() { const ctx = withCancel(parent); all.push(ctx); return ctx; }
       function stopped() { const ctx = withCancel(parent); process.once("exit", () => ctx.cancel()); return ctx; }
       class Owner { context(): CancelableContext { const ctx = withCancel(parent); all.push(ctx); return ctx; } stopped(): CancelableContext { const ctx = withCancel(parent); afterFunc(parent, () => ctx.cancel()); return ctx; } }
       export async function f(one: Owner) { const a = owned(); await work(a); const b = stopped(); await work(b); const c = one.context(); await work(c); const d = one.stopped(); await work(d); }`,
    ),
    ok(
      "handed over in a loop, which may have no turn",
      `const ctx = withCancel(parent);
       for (const emitter of [process]) emitter.once("exit", () => ctx.cancel());
       await work(ctx);`,
    ),
    ok(
      "a loop that only the end of the context leaves",
      `const ctx = withTimeout(parent, 5);
       for (;;) { if (ctx.err()) return; if (ctx.signal.aborted) break; if (ctx.err() !== undefined) { throw new Error("no"); } await work(ctx); }`,
    ),
    ok(
      "a loop over the ticks of a clock until the context has ended",
      `const ctx = withTimeout(parent, 5);
       for await (const tick of interval(ctx, 1)) console.log(tick);`,
    ),
    ok(
      "a retry, with a context for each attempt",
      `let ctx: CancelableContext;
       for (;;) { ctx = withTimeout(parent, 5); try { return await work(ctx); } catch { continue; } finally { ctx.cancel(); } }`,
    ),
    ok(
      "stored as a value",
      `const K = key<CancelableContext>("a"); const ctx = withCancel(parent); return withValue(parent, K, ctx);`,
    ),
    ok("watched for its end", `afterFunc(merge(parent, parent), () => console.log("ended"));`),
    ok("the default of a parameter", ``, {
      code: `${head}export function f(ctx = withCancel(parent)) { return work(ctx); }`,
    }),
    ok(
      "an exhaustive switch that cancels in each case",
      `const kind = "a" as "a" | "b";
       const ctx = withCancel(parent);
       switch (kind) { case "a": ctx.cancel(); return 1; case "b": ctx.cancel(); return 2; }`,
      { only: "types" },
    ),
    whole(
      "JSX that gets it",
      `declare namespace JSX { interface IntrinsicElements { div: { data?: unknown } } }
       export function F() { const ctx = withCancel(parent); return <div data={ctx} />; }`,
      { filename: "jsx.tsx" as const },
    ),
    ok(
      "without the option, what a call may throw",
      `const ctx = withCancel(parent); await work(ctx); ctx.cancel();`,
    ),
    ok(
      "without the option, what a call may throw in try/finally",
      `const ctx = withCancel(parent);
       try { await work(ctx); ctx.cancel(); } finally { console.log("done"); }`,
    ),
    ok(
      "throws: canceled in finally",
      `const ctx = withCancel(parent); try { await work(ctx); } finally { ctx.cancel(); }`,
      { options: [{ throws: true }] },
    ),
    ok(
      "throws: canceled in the finally of the promise",
      `const t = withTimeout(parent, 5); return await sleep(t, 1).finally(() => { t.cancel(); });`,
      { options: [{ throws: true }] },
    ),
    ok(
      "throws: canceled in the finally behind a then",
      `const t = withTimeout(parent, 5); await sleep(t, 1).then(() => 1).finally(() => t.cancel());`,
      { options: [{ throws: true }] },
    ),
    ...[
      `cb: (c: CancelableContext) => void`,
      `cb: (c: Disposable) => void`,
      `cb: (c: CancelableContext | undefined) => void`,
    ].map((parameter) =>
      whole(
        "a callback that takes what it may end",
        `export function f(ctx: Context, ${parameter}) { const c = withCancel(ctx); cb(c); }`,
      ),
    ),
    whole(
      "what a function returns a promise of, which its caller ends",
      `declare function make(ctx: Context): Promise<CancelableContext>; export async function f() { using a = await make(parent); await work(a); const b = await make(parent); try { await work(b); } finally { b.cancel(); } }`,
    ),
    ok(
      "throws: handed over at once",
      `const ctx = withCancel(parent); setTimeout(() => ctx.cancel(), 5); await work(ctx);`,
      { options: [{ throws: true }] },
    ),
    ok(
      "throws: a catch that cancels",
      `const ctx = withCancel(parent); try { await work(ctx); ctx.cancel(); } catch (error) { ctx.cancel(error); throw error; }`,
      { options: [{ throws: true }] },
    ),
    ok(
      "a catch behind a call that hands it over",
      `const ctx = withCancel(parent);
       try { process.once("exit", () => ctx.cancel()); await work(ctx); } catch { return; }`,
    ),
  ],
  invalid: [
    ...go.invalid,
    lost("never", `const ctx = withTimeout(parent, 5); return work(ctx);`, "never"),
    lost("never, in a generator", ``, "never", {
      code: `${head}export async function* g() { const ctx = withTimeout(parent, 5); for await (const one of [1]) yield one; }`,
      errors: [
        {
          messageId: "never",
          suggestions: [
            {
              messageId: "using",
              output: `${head}export async function* g() { using ctx = withTimeout(parent, 5); for await (const one of [1]) yield one; }`,
            },
          ],
        },
      ],
    }),
    bad(
      "no suggestion where a function uses it later",
      `const ctx = withCancel(parent); return () => work(ctx);`,
      { messageId: "never" },
    ),
    lost(
      "never: used by a function that a call takes",
      `const ctx = withCancel(parent); await Promise.all([1, 2].map(() => work(ctx)));`,
      "never",
    ),
    bad(
      "never: annotated as a Context",
      `const ctx: Context = withTimeout(parent, 5); await work(ctx);`,
      {
        messageId: "never",
      },
    ),
    ...[
      "withCancel(parent)",
      "withTimeout(parent, 5)",
      "withDeadline(parent, 5)",
      "withSignal(parent)",
      "merge(parent)",
    ].map((call) => lost(call, `const ctx = ${call}; await sleep(ctx, 5);`, "never")),
    whole(
      "notifyContext",
      `import { notifyContext } from "eightysix/http"; export async function f() { const ctx = notifyContext(); await work(ctx); }`,
      {
        errors: [{ messageId: "never", suggestions: 1 }],
      },
    ),
    lost(
      "never: named by a type, printed and compared",
      `const ctx = withCancel(parent); const other: typeof ctx | undefined = undefined; console.log(String(ctx.err()), other === ctx);`,
      "never",
    ),
    lost(
      "a return while the context is live",
      `const ctx = withTimeout(parent, 5);
       for (;;) { if (!ctx.err()) return; await work(ctx); }`,
      "never",
    ),
    lost(
      "an early return",
      `const ctx = withCancel(parent);
       if (condition) return;
       await work(ctx);
       ctx.cancel();`,
    ),
    bad(
      "the message names the line",
      `const ctx = withCancel(parent);
       if (condition)
         return;
       ctx.cancel();`,
      {
        messageId: "path",
        data: { name: "ctx", line: "5" },
        line: 3,
        suggestions: using(`const ctx = withCancel(parent);
       if (condition)
         return;
       ctx.cancel();`),
      },
    ),
    lost(
      "a throw",
      `const ctx = withCancel(parent);
       if (condition) throw new Error("no");
       ctx.cancel();`,
    ),
    lost(
      "a throw that a catch takes, which does not cancel",
      `const ctx = withCancel(parent);
       try { if (condition) throw new Error("no"); ctx.cancel(); } catch { return; }`,
    ),
    lost(
      "a call that a catch takes, which returns",
      `const ctx = withCancel(parent);
       try { await work(ctx); } catch { return; }
       ctx.cancel();`,
    ),
    lost(
      "a return in a try whose finally does something else",
      `const ctx = withCancel(parent);
       try { if (condition) return; } finally { console.log("done"); }
       ctx.cancel();`,
    ),
    lost(
      "a finally that cancels on one way only",
      `const ctx = withCancel(parent);
       try { await work(ctx); } finally { if (condition) ctx.cancel(); }`,
    ),
    lost(
      "&& before cancel",
      `const ctx = withCancel(parent);
       await work(ctx);
       condition && ctx.cancel();`,
    ),
    lost(
      "a continue in a loop",
      `for (;;) {
         const ctx = withCancel(parent);
         if (condition) continue;
         await work(ctx);
         ctx.cancel();
       }`,
      "turn",
    ),
    lost(
      "canceled in a loop, which may have no turn",
      `const ctx = withCancel(parent);
       for (const one of [1, 2]) if (one < some) ctx.cancel();`,
    ),
    lost(
      "a break out of a loop",
      `for (let one = 0; one < 2; one++) {
         const ctx = withCancel(parent);
         if (one > some) break;
         ctx.cancel();
       }`,
    ),
    lost(
      "a continue whose finally does something else",
      `for (;;) {
         const ctx = withCancel(parent);
         try { if (condition) continue; } finally { console.log("done"); }
         ctx.cancel();
       }`,
      "turn",
    ),
    whole(
      "in a loop of the module",
      `while (condition) { const ctx = withTimeout(parent, 5); await work(ctx); }`,
      {
        errors: [
          {
            messageId: "turn",
            suggestions: [
              {
                messageId: "using",
                output: `${head}while (condition) { using ctx = withTimeout(parent, 5); await work(ctx); }`,
              },
            ],
          },
        ],
      },
    ),
    bad(
      "overwritten",
      `let ctx = withCancel(parent);
       ctx = withTimeout(parent, 5);
       await work(ctx);
       ctx.cancel();`,
      { messageId: "turn" },
    ),
    bad(
      "a parameter",
      ``,
      { messageId: "never" },
      {
        code: `${head}export async function g(ctx: Context) { ctx = withTimeout(ctx, 5); await work(ctx); }`,
      },
    ),
    bad(
      "no suggestion where it is returned",
      `const ctx = withCancel(parent); if (condition) return; return ctx;`,
      {
        messageId: "path",
      },
    ),
    bad(
      "no suggestion in a case",
      ``,
      { messageId: "never" },
      {
        code: inFunction(
          `switch (some) { case 1: const ctx = withCancel(parent); await work(ctx); }`,
        ),
      },
    ),
    bad("discarded: a statement", `withCancel(parent);`, { messageId: "discarded" }),
    whole("discarded: a statement of the module", `withTimeout(parent, 5);`, {
      errors: [{ messageId: "discarded" }],
    }),
    bad("discarded: an argument", `await work(withTimeout(parent, 5));`, {
      messageId: "discarded",
    }),
    bad(
      "discarded: an argument of a chain",
      `await work(withValue(withCancel(parent), {} as never, 1));`,
      {
        messageId: "discarded",
      },
    ),
    bad("discarded: a member", `return withTimeout(parent, 1).err();`, { messageId: "discarded" }),
    bad(
      "discarded: its signal",
      `await fetch("http://a", { signal: withTimeout(parent, 1).signal });`,
      {
        messageId: "discarded",
      },
    ),
    bad(
      "discarded: only its signal is bound",
      `const { signal } = withTimeout(parent, 1); return signal;`,
      {
        messageId: "discarded",
      },
    ),
    bad("discarded: logged", `console.log(withCancel(parent));`, { messageId: "discarded" }),
    bad("unbound", `const { cancel, signal } = withCancel(parent); cancel(); return signal;`, {
      messageId: "unbound",
    }),
    whole(
      "discarded: a rest parameter of contexts",
      `declare function all(...ctxs: Context[]): void; export function f() { all(withCancel(parent)); all(parent, withCancel(parent)); }`,
      {
        only: "types",
        errors: [{ messageId: "discarded" }, { messageId: "discarded" }],
      },
    ),
    whole(
      "passed to a function of the file that does not end it",
      `function use(ctx: Context) { return ctx.err(); } export function f() { const ctx = withCancel(parent); return use(ctx); }`,
      {
        errors: [{ messageId: "never", suggestions: 1 }],
      },
    ),
    whole(
      "a wrapper of the file",
      `const limited = (ctx: Context) => withTimeout(ctx, 5);
       function named(ctx: Context) { const made = withCancel(ctx); return made; }
       export async function f() { const a = limited(parent); await work(a); const b = named(parent); await work(b); }`,
      {
        errors: [
          { messageId: "never", suggestions: 1 },
          { messageId: "never", suggestions: 1 },
        ],
      },
    ),
    whole(
      "a wrapper whose type is known",
      `declare function requestScope(ctx: Context): CancelableContext;
       declare const lib: { child(ctx: Context): CancelableContext };
       export async function f() { const a = requestScope(parent); await work(a); const b = lib.child(parent); await work(b); }`,
      {
        only: "types",
        errors: [
          { messageId: "never", suggestions: 1 },
          { messageId: "never", suggestions: 1 },
        ],
      },
    ),
    whole(
      "an alias and a namespace",
      `import { withCancel as child } from "eightysix"; import * as e from "eightysix"; export async function f() { const a = child(parent); await work(a); const b = e.withTimeout(parent, 5); await work(b); }`,
      {
        errors: [
          { messageId: "never", suggestions: 1 },
          { messageId: "never", suggestions: 1 },
        ],
      },
    ),
    whole(
      "exported again",
      `import { child } from "./again.ts"; export async function f() { const a = child(parent); await work(a); }`,
      {
        only: "types",
        errors: [{ messageId: "never", suggestions: 1 }],
      },
    ),
    {
      name: "CommonJS",
      filename: "common.cjs" as const,
      code: `const { withCancel, background, sleep } = require("eightysix"); exports.f = async () => { const ctx = withCancel(background()); await sleep(ctx, 5); };`,
      errors: [{ messageId: "never", suggestions: 1 }],
    },
    {
      name: "JavaScript: a function that is not known gets its first argument as a context",
      filename: "script.js" as const,
      code: `import { withTimeout, background } from "eightysix"; import { query } from "./db.js"; export async function f() { const ctx = withTimeout(background(), 5); await query(ctx, "select 1"); }`,
      only: "syntax" as const,
      errors: [{ messageId: "never", suggestions: 1 }],
    },
    whole(
      "a callback that takes a context, and can't end it",
      `export function f(cb: (c: Context) => void) { const c = withCancel(parent); cb(c); }`,
      { errors: [{ messageId: "never", suggestions: 1 }] },
    ),
    bad(
      "a context of its own, or that of the caller",
      `const c = condition ? withTimeout(parent, 5) : parent; await work(c);`,
      { messageId: "never" },
    ),
    lost(
      "one context or another",
      `const c = condition ? withTimeout(parent, 5) : withCancel(parent); await work(c);`,
      "never",
    ),
    whole(
      "what a function returns a promise of",
      `declare function make(ctx: Context): Promise<CancelableContext>; export async function f() { const c = await make(parent); await work(c); }`,
      { only: "types", errors: [{ messageId: "never", suggestions: 1 }] },
    ),
    whole(
      "what an async function of the file makes",
      `async function make(ctx: Context) { return withCancel(ctx); } export async function f() { const c = await make(parent); await work(c); }`,
      { errors: [{ messageId: "never", suggestions: 1 }] },
    ),
    lost(
      "throws: a finally of the promise that does something else",
      `const t = withTimeout(parent, 5); await sleep(t, 1).finally(() => console.log(1)); t.cancel();`,
      "thrown",
      { options: [{ throws: true }] },
    ),
    lost(
      "throws: an await before cancel",
      `const ctx = withCancel(parent); await work(ctx); ctx.cancel();`,
      "thrown",
      {
        options: [{ throws: true }],
      },
    ),
    lost(
      "throws: in a finally that does something else",
      `const ctx = withCancel(parent);
       try { await work(ctx); ctx.cancel(); } finally { console.log("done"); }`,
      "path",
      { options: [{ throws: true }] },
    ),
    lost("throws: a yield before cancel", ``, "thrown", {
      options: [{ throws: true }],
      code: `${head}export function* g() { const ctx = withCancel(parent); yield 1; ctx.cancel(); }`,
      errors: [{ messageId: "thrown", suggestions: 1 }],
    }),
  ],
} as never);
