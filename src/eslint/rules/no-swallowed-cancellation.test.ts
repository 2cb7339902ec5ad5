import { testRule } from "../../../test/support/eslint.ts";
import { noSwallowedCancellation } from "./no-swallowed-cancellation.ts";

const head = `import { interval, isContextError, sleep, throwIfDone, withTimeout, background, type Context } from "eightysix";
declare function work(ctx: Context, x?: unknown): Promise<number>;
declare function pause(ms: number): Promise<void>;
declare function log(x: unknown): void;
declare function isRetryable(x: unknown): boolean;
declare class NotFound extends Error {}
`;
/** A function with a loop around a `try`. */
const loop = (rest: string, start = "while (true)", before = "") =>
  `${head}export async function f(ctx: Context, signal: AbortSignal) { ${before} ${start} { try { return await work(ctx); } ${rest} } }`;

const check = "if (ctx.err() !== undefined) throw err;";
const everywhere = [{ everywhere: true }];

testRule(noSwallowedCancellation, {
  valid: [
    {
      name: "an optional signal that throws",
      code: `export async function f(urls: string[], signal?: AbortSignal) { for (const url of urls) { try { return await fetch(url, { signal }); } catch { signal?.throwIfAborted(); } } return undefined; }`,
    },
    // The catch leaves the loop.
    loop(`catch (err) { throw new Error("no", { cause: err }); }`),
    loop(`catch (err) { log(err); return 0; }`),
    loop(`catch (err) { log(err); break; }`),
    loop(`finally { log(1); }`),
    // It asks.
    loop(`catch (err) { if (isContextError(err)) throw err; }`),
    loop(`catch (err) { if (ctx.err() !== undefined) throw err; }`),
    loop(`catch (err) { if (ctx.err()) break; }`),
    loop(`catch (err) { if (ctx.signal.aborted) throw err; }`),
    loop(`catch (err) { ctx.signal.throwIfAborted(); log(err); }`),
    loop(`catch (err) { throwIfDone(ctx); log(err); }`),
    loop(`catch (err) { if (err instanceof Error && err.name === "AbortError") throw err; }`),
    loop(`catch {} finally { throwIfDone(ctx); }`),
    loop(
      `catch (err) { if (n === 3 || ctx.err() !== undefined) throw err; }`,
      "for (let n = 0; ; n++)",
    ),
    // The loop asks before the next try.
    loop(`catch (err) { log(err); }`, "while (ctx.err() === undefined)"),
    loop(`catch (err) { log(err); }`, "for (; ctx.err() === undefined; )"),
    loop(`catch (err) { log(err); } await sleep(ctx, 100);`),
    loop(`catch (err) { log(err); await sleep(ctx, 100); }`),
    loop(`catch (err) { log(err); } if (ctx.err()) return 0;`),
    `${head}export async function f(ctx: Context) { while (true) { throwIfDone(ctx); try { await work(ctx); } catch (err) { log(err); } } }`,
    `${head}export async function f(ctx: Context) { while (true) { try { if (ctx.err()) return; await work(ctx); } catch (err) { log(err); } } }`,
    `${head}export async function f(ctx: Context) { do { try { await work(ctx); } catch (err) { log(err); } } while (ctx.err() === undefined); }`,
    {
      name: "the source of the loop ends with the context",
      code: `${head}export async function f(ctx: Context) { for await (const tick of interval(ctx, 10)) { try { await work(ctx, tick); } catch (err) { log(err); } } }`,
    },
    // A test of the error whose other way leaves.
    loop(`catch (err) { if (!isRetryable(err)) throw err; }`),
    loop(
      `catch (err) { if (n < 3 && isRetryable(err)) continue; throw err; }`,
      "for (let n = 0; ; n++)",
    ),
    loop(`catch (err) { if (err instanceof NotFound) continue; throw err; }`),
    loop(`catch (err) { if (err instanceof NotFound) log(err); else throw err; }`),
    loop(`catch (err) { const retry = isRetryable(err); if (!retry) return 0; }`),
    loop(`catch (err) { switch (String(err)) { case "again": continue; default: throw err; } }`),
    {
      name: "one kind of error is tried again, all others leave",
      code: `${head}export async function poll(fn: (signal?: AbortSignal) => Promise<void>, { signal }: { signal?: AbortSignal } = {}) { for (let i = 0; i < 3; i++) { try { return await fn(signal); } catch (error) { if (error instanceof NotFound) { await pause(10); continue; } throw error; } } throw new Error("too often"); }`,
    },
    {
      name: "a flag that the catch sets",
      code: `${head}export async function f(ctx: Context) { let more = true; while (more) { try { await work(ctx); } catch (err) { log(err); more = false; } } let n: number | undefined; while (n === undefined) { try { n = await work(ctx); } catch { n = 0; } } let state = ""; for (;;) { try { await work(ctx); } catch { state = "failed"; } if (state === "failed") break; } }`,
    },
    {
      name: "a function that may throw the error again",
      code: `${head}declare function handleFailure(err: unknown, n: number): Promise<void>; export async function f(ctx: Context) { for (let n = 0; ; n++) { try { return await work(ctx); } catch (err) { await handleFailure(err, n); } } }`,
    },
    {
      name: "a loop that closes everything",
      code: `${head}export async function f(ctx: Context, all: { close(ctx: Context): Promise<void> }[]) { for (const one of all) { try { await one.close(ctx); } catch (err) { log(err); } } }`,
    },
    {
      name: "a flag that other code sets",
      code: `${head}export class A { #closed = false; close() { this.#closed = true; } stopped = false; async run(ctx: Context) { while (!this.stopped) { try { await work(ctx); } catch (err) { log(err); } } } }`,
    },
    // The loop does not depend on the context.
    {
      name: "a timeout of each try",
      code: `${head}export async function f() { while (true) { try { using ctx = withTimeout(background(), 10); return await work(ctx); } catch (err) { log(err); } } }`,
    },
    {
      name: "a context that never ends",
      code: `${head}const ctx = background(); export async function f() { while (true) { try { return await work(ctx); } catch (err) { log(err); } } }`,
    },
    {
      name: "a context of each item",
      code: `${head}export async function f(requests: { ctx: Context }[]) { for (const { ctx } of requests) { try { await work(ctx); } catch (err) { log(err); } } for (const one of requests) { try { await work(one.ctx); } catch (err) { log(err); } } }`,
    },
    {
      name: "a catch that awaits nothing",
      code: `${head}export function f(ctx: Context, lines: string[]) { for (const line of lines) { try { log(JSON.parse(line)); } catch { log(ctx); } } }`,
    },
    {
      name: "a catch around another function",
      code: `${head}export function f(ctx: Context) { while (true) { try { log(async () => { await work(ctx); }); } catch { continue; } } }`,
    },
    {
      name: "a loop in another function",
      code: `${head}export async function f(ctx: Context, ids: number[]) { for (const id of ids) log(async () => { try { await work(ctx, id); } catch (err) { log(err); } }); }`,
    },
    {
      name: "an inner catch that rethrows",
      code: `${head}export async function f(ctx: Context) { while (true) { try { try { await work(ctx); } catch (err) { throw new Error("inner", { cause: err }); } } catch (err) { throw err; } } }`,
    },
    ...[
      `export async function callHook(module, signal) { try { await module.onApplicationShutdown(signal); } catch (error) { console.error(error); } }`,
      `export async function stop(child, signal) { for (;;) { try { await child.end(signal); return; } catch (error) { child.kill(signal); } } }`,
      `export async function stop(signal) { try { await close({ signal }); } catch (error) { console.error("stopped by", signal); } } process.on("SIGTERM", stop);`,
    ].map((code) => ({
      name: "a value that is only named signal",
      code,
      filename: "script.js" as const,
      options: [{ everywhere: true }],
    })),
    {
      name: "a signal of each try",
      code: `export async function f() { while (true) { try { return await fetch("http://x/", { signal: AbortSignal.timeout(10) }); } catch { continue; } } }`,
    },
    {
      name: "a controller of each try",
      code: `export async function f() { while (true) { const c = new AbortController(); try { return await fetch("http://x/", { signal: c.signal }); } catch { c.abort(); } } }`,
    },
    `export async function f(signal: AbortSignal) { while (!signal.aborted) { try { return await fetch("http://x/", { signal }); } catch { continue; } } return undefined; }`,
    `export async function f(signal: AbortSignal) { while (true) { try { return await fetch("http://x/", { signal }); } catch (e) { if (signal.aborted) throw e; } } }`,
    `declare function isAbortError(e: unknown): boolean; export async function f(signal: AbortSignal) { while (true) { try { return await fetch("http://x/", { signal }); } catch (e) { if (isAbortError(e)) throw e; } } }`,
    {
      name: "no loop, without the option",
      code: `${head}export async function f(ctx: Context) { try { await work(ctx); } catch (err) { log(err); } await work(ctx).catch(log); await work(ctx).catch(() => 0); }`,
    },
    // With the option everywhere.
    {
      name: "everywhere: the main program",
      code: `${head}const ctx = withTimeout(background(), 10); try { await work(ctx); } catch (err) { log(err); } await work(ctx).catch(() => 0);`,
      options: everywhere,
    },
    ...[
      `try { await work(ctx); } catch (err) { log(err); throw err; }`,
      `try { return await work(ctx); } catch (err) { log(err); return 0; }`,
      `try { await work(ctx); } catch (err) { if (!isContextError(err)) log(err); }`,
      `try { await work(ctx); } catch (err) { log(err); } await sleep(ctx, 1);`,
      `try { await work(ctx); } catch (err) { log(err); } return work(ctx);`,
      `try { await work(ctx); } catch (err) { done(err); }`,
      `for await (const _ of interval(ctx, 10)) { try { await work(ctx); } catch (err) { log(err); } }`,
      `const rows = list(ctx); for await (const row of rows) { if (row > 1) { try { await work(ctx); } catch (err) { log(err); } } }`,
      `await work(ctx).catch((err: unknown) => { throw new Error("no", { cause: err }); });`,
      `await work(ctx).catch((err: unknown) => { if (isContextError(err)) throw err; });`,
      `await work(ctx).catch(done); await work(ctx).catch((err: unknown) => done(err));`,
      `await pause(1).catch(() => {}); await work(background()).then(log).catch(() => {});`,
    ].map((body) => ({
      name: `everywhere: ${body}`,
      code: `${head}declare function list(ctx?: Context): AsyncIterable<number>; export async function f(ctx: Context, done: (err: unknown) => void) { done(0); ${body} }`,
      options: everywhere,
    })),
  ],
  invalid: [
    {
      code: loop(`catch (err) { log(err); }`),
      errors: [
        {
          messageId: "again",
          data: { name: "ctx", check },
          line: 7,
          suggestions: [
            {
              messageId: "rethrow",
              data: { check },
              output: loop(`catch (err) { if (ctx.err() !== undefined) throw err; log(err); }`),
            },
          ],
        },
      ],
    },
    {
      code: loop(`catch { continue; }`),
      errors: [
        {
          messageId: "again",
          suggestions: [
            {
              messageId: "rethrow",
              data: { check: "if (ctx.err() !== undefined) throw ctx.err();" },
              output: loop(`catch { if (ctx.err() !== undefined) throw ctx.err(); continue; }`),
            },
          ],
        },
      ],
    },
    ...[
      loop(`catch (err) { log(err); await pause(100); }`),
      loop(`catch (err) { if (n === 3) throw err; }`, "for (let n = 0; ; n++)"),
      loop(`catch (err) { log(err); }`, "for (let n = 0; n < 3; n++)"),
      loop(`catch (err) { log(err); n++; }`, "while (n < 3)", "let n = 0;"),
      loop(`catch (err) { log(err); n = n + 1; }`, "while (n < 3)", "let n = 0;"),
      loop(`catch (err) { if (err instanceof NotFound) throw err; }`),
      loop(`catch (err) { if (err instanceof Error) log(err.message); else log(String(err)); }`),
      loop(`catch (err) { log(err); } log(1);`, "for (const x of [1, 2])"),
      loop(`catch (err) { log(err); await sleep(background(), 100); }`),
      `${head}export async function f(ctx: Context) { do { try { await work(ctx); } catch (err) { log(err); } } while (true); }`,
      `${head}export async function f(ctx: Context) { let done = false; while (!done) { try { await work(ctx); done = true; } catch (err) { log(err); } } }`,
      `${head}export async function f(ctx: Context) { outer: for (const x of [1]) { for (;;) { try { await work(ctx, x); } catch (err) { log(err); continue outer; } } } }`,
      `${head}export async function f(ctx: Context) { while (true) { try { throwIfDone(ctx); await work(ctx); } catch (err) { log(err); } } }`,
      `${head}export async function f(ctx: Context) { while (true) { try { await Promise.all([1, 2].map((x) => work(ctx, x))); } catch (err) { log(err); } } }`,
      `${head}export async function f(ctx: Context) { while (true) { try { using inner = withTimeout(ctx, 10); await work(inner); } catch (err) { log(err); } } }`,
      `${head}export async function f(ctx: Context) { while (true) { try { for await (const tick of interval(ctx, 1)) log(tick); } catch (err) { log(err); } } }`,
      `${head}export async function f(ctx: Context) { while (true) { try { await work(ctx); } catch (err) { try { await sleep(ctx, 1); } catch (e) { if (isContextError(e)) throw e; } log(err); } } }`.replace(
        "try { await sleep(ctx, 1); } catch (e) { if (isContextError(e)) throw e; }",
        "try { log(JSON.stringify(1)); } catch (e) { throw e; }",
      ),
      `${head}export async function f(ctx: Context) { for (let n = 0; n < 3; n++) { try { await work(ctx); } catch (err) { log(err); } finally { log(n); } } }`,
    ].map((code) => ({
      code,
      errors: [{ messageId: "again", data: { name: "ctx", check }, suggestions: 1 }],
    })),
    {
      name: "a signal",
      code: `export async function f(signal: AbortSignal) { while (true) { try { return await fetch("http://x/", { signal }); } catch (e) { console.log(e); } } }`,
      errors: [
        {
          messageId: "again",
          data: { name: "signal", check: "if (signal.aborted) throw e;" },
          suggestions: [
            {
              messageId: "rethrow",
              data: { check: "if (signal.aborted) throw e;" },
              output: `export async function f(signal: AbortSignal) { while (true) { try { return await fetch("http://x/", { signal }); } catch (e) { if (signal.aborted) throw e; console.log(e); } } }`,
            },
          ],
        },
      ],
    },
    {
      name: "a signal that may be missing",
      code: `${head}export async function poll<T>(fn: (signal?: AbortSignal) => Promise<T>, { times = 60, signal }: { times?: number; signal?: AbortSignal } = {}) { for (let i = 0; i < times; i++) { try { const x = await fn(signal); if (x) return x; } catch { await pause(10); continue; } } throw new Error("too often"); }`,
      errors: [
        {
          messageId: "again",
          data: { name: "signal", check: "if (signal?.aborted) throw signal.reason;" },
          suggestions: [
            {
              messageId: "rethrow",
              data: { check: "if (signal?.aborted) throw signal.reason;" },
              output: `${head}export async function poll<T>(fn: (signal?: AbortSignal) => Promise<T>, { times = 60, signal }: { times?: number; signal?: AbortSignal } = {}) { for (let i = 0; i < times; i++) { try { const x = await fn(signal); if (x) return x; } catch { if (signal?.aborted) throw signal.reason; await pause(10); continue; } } throw new Error("too often"); }`,
            },
          ],
        },
      ],
    },
    {
      name: "a signal among others, and one of a controller",
      code: `export async function f(signal: AbortSignal) { const c = new AbortController(); while (Math.random() > 0.1) { try { await fetch("http://x/", { signal: AbortSignal.any([signal, AbortSignal.timeout(10)]) }); } catch { continue; } } while (true) { try { await fetch("http://x/", { signal: c.signal }); } catch { continue; } } }`,
      errors: [
        {
          messageId: "again",
          data: { name: "signal", check: "if (signal.aborted) throw signal.reason;" },
          suggestions: 1,
        },
        {
          messageId: "again",
          data: { name: "c.signal", check: "if (c.signal.aborted) throw c.signal.reason;" },
          suggestions: 1,
        },
      ],
    },
    {
      name: "CommonJS",
      code: `const e = require("eightysix"); exports.f = async (ctx) => { for (;;) { try { return await e.sleep(ctx, 1); } catch (err) { console.log(err); } } };`,
      filename: "common.cjs",
      only: "syntax",
      errors: [{ messageId: "again", suggestions: 1 }],
    },
    {
      name: "a context in an object, with types",
      code: `${head}export async function f(job: { owner: Context }) { for (;;) { try { return await work(job.owner); } catch (err) { log(err); } } }`,
      only: "types",
      errors: [
        {
          messageId: "again",
          data: { name: "job.owner", check: "if (job.owner.err() !== undefined) throw err;" },
          suggestions: 1,
        },
      ],
    },
    {
      name: "everywhere: the function ends as if nothing had happened",
      code: `${head}export async function f(ctx: Context) { try { await work(ctx); } catch (err) { log(err); } log(1); }`,
      options: everywhere,
      errors: [{ messageId: "swallowed", data: { name: "ctx", check }, suggestions: 1 }],
    },
    ...[
      `for await (const x of list()) { try { await work(ctx, x); } catch (err) { log(err); } }`,
      `for await (const x of list(ctx)) { try { await work(ctx, x); } catch (err) { log(err); } log(x); return; }`,
    ].map((body) => ({
      name: "everywhere: an asynchronous loop that does not fail by itself",
      code: `${head}declare function list(ctx?: Context): AsyncIterable<number>; export async function f(ctx: Context) { ${body} }`,
      options: everywhere,
      errors: [{ messageId: "swallowed", suggestions: 1 }],
    })),
    {
      name: "everywhere: a callback of catch",
      code: `${head}export async function f(ctx: Context) { await work(ctx).catch(() => 0); return work(ctx).then(log).catch((err: unknown) => { log(err); }); }`,
      options: everywhere,
      errors: [{ messageId: "dropped" }, { messageId: "dropped" }],
    },
  ],
});
