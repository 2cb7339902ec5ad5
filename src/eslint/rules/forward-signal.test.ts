import { testRule } from "../../../test/support/eslint.ts";
import { forwardSignal } from "./forward-signal.ts";

const context = `import { background, orDone, withCancel, withTimeout, type Context } from "eightysix";\n`;
const timers = `import { setTimeout as delay } from "node:timers/promises";\n`;
const own = `async function load(id: string, options?: { deep?: boolean; signal?: AbortSignal }) { return [id, options]; }\n`;

/** A call without a signal, and what it becomes. */
const becomes = (
  before: string,
  after: string,
  rest: { name?: string; only?: "types" | "syntax"; filename?: "script.js" | "common.cjs" } = {},
): {
  code: string;
  output: string;
  errors: { messageId: string }[];
  name?: string;
  only?: "types" | "syntax";
  filename?: "script.js" | "common.cjs";
} => ({ code: before, output: after, errors: [{ messageId: "missing" }], ...rest });

/** The same where the repair is a suggestion. */
const mayBecome = (
  before: string,
  after: string,
  rest: { name?: string; only?: "types" | "syntax" } = {},
): {
  code: string;
  output: null;
  errors: { messageId: string; suggestions: { messageId: string; output: string }[] }[];
  name?: string;
  only?: "types" | "syntax";
} => ({
  code: before,
  output: null,
  errors: [{ messageId: "missing", suggestions: [{ messageId: "pass", output: after }] }],
  ...rest,
});

const inFunction = (call: string, imports = ""): string =>
  `${imports}export async function f(signal: AbortSignal, url: string) { return await ${call}; }`;

testRule(forwardSignal, {
  valid: [
    { name: "no signal is at hand", code: `export async function f() { await fetch("/"); }` },
    inFunction(`fetch(url, { signal })`),
    {
      name: "a signal that was left out on purpose",
      code: inFunction(`fetch(url, { signal: undefined })`),
    },
    inFunction(`fetch(url, { signal: null })`),
    { name: "a beacon", code: inFunction(`fetch(url, { keepalive: true })`) },
    {
      name: "options that may hold a signal",
      code: `export async function f(signal: AbortSignal, init: RequestInit) { await fetch("/", init); signal.throwIfAborted(); }`,
    },
    `export async function f(signal: AbortSignal, init: RequestInit) { await fetch("/", { ...init, method: "POST" }); }`,
    `export async function f(signal: AbortSignal, init?: RequestInit) { await fetch("/", { method: "POST", ...(init && { ...init }) }); }`,
    {
      name: "options that get the signal later",
      code: `export async function f(signal: AbortSignal) { const init: RequestInit = {}; init.signal = signal; await fetch("/", init); }`,
    },
    {
      name: "a Request, which has a signal of its own",
      code: `export async function f(signal: AbortSignal, request: Request) { await fetch(request); }`,
    },
    {
      name: "the signal is passed in a way of the user's own",
      code: `declare const withSignal: (signal: AbortSignal) => RequestInit; export async function f(signal: AbortSignal) { await fetch("/", withSignal(signal)); }`,
    },
    {
      name: "a finally and a catch run when the signal may have aborted",
      code: `export async function f(signal: AbortSignal) { try { signal.throwIfAborted(); } catch { await fetch("/failed"); } finally { await fetch("/unlock"); } }`,
    },
    {
      name: "an event handler runs later",
      code: `export function f(signal: AbortSignal, target: EventTarget) { target.addEventListener("x", async () => { await fetch("/"); }); signal.throwIfAborted(); }`,
    },
    {
      name: "the callback of an interval runs later",
      code: `export function f(signal: AbortSignal) { setInterval(() => { fetch("/"); }, 100); }`,
    },
    {
      name: "a function that is returned runs later",
      code: `export function f(signal: AbortSignal) { return async () => await fetch("/"); }`,
    },
    {
      name: "a function that is also passed on may run later",
      code: `export function f(signal: AbortSignal, button: { onclick: unknown }) { async function load() { await fetch("/"); } load(); button.onclick = load; }`,
    },
    {
      name: "a method of a class in a function runs later",
      code: `export function f(signal: AbortSignal) { return class { async m() { await fetch("/"); } field = fetch("/"); }; }`,
    },
    {
      name: "a constructor",
      code: `import { spawn } from "node:child_process"; export class Tool { child; constructor(signal: AbortSignal) { this.child = spawn("tool"); } close() { this.child.kill(); } }`,
    },
    {
      name: "what an object keeps",
      code: `import { spawn, type ChildProcess } from "node:child_process"; export class Tool { child?: ChildProcess; start(signal: AbortSignal) { this.child = spawn("tool"); } }`,
    },
    {
      name: "a child process that the function kills by itself",
      code: `import { spawn } from "node:child_process"; export function f(signal: AbortSignal) { const child = spawn("tool"); signal.addEventListener("abort", () => child.kill()); return child; }`,
    },
    {
      name: "a detached child process",
      code: `import { spawn } from "node:child_process"; export function f(signal: AbortSignal) { spawn("tool", ["-x"], { detached: true }).unref(); }`,
    },
    {
      name: "work that nothing waits for",
      code: `export async function f(signal: AbortSignal) { void fetch("/audit"); }`,
    },
    `export async function f(signal: AbortSignal) { fetch("/audit").catch(console.error); }`,
    {
      name: "a goodbye behind a loop that goes on until the abort",
      code: `declare function poll(): Promise<void>; export async function f(signal: AbortSignal) { while (!signal.aborted) await poll(); await fetch("/goodbye"); }`,
    },
    {
      name: "a goodbye when the signal has aborted",
      code: `export async function f(signal: AbortSignal) { if (signal.aborted) { await fetch("/goodbye"); } }`,
    },
    {
      name: "a goodbye behind a wait for the abort",
      code: `export async function f(signal: AbortSignal) { await new Promise((resolve) => { signal.addEventListener("abort", resolve); }); await fetch("/goodbye"); }`,
    },
    {
      name: "a wait for the abort itself",
      code: `import { once } from "node:events"; export async function f(signal: AbortSignal, other: AbortSignal) { await once(other, "abort"); return signal.aborted; }`,
    },
    {
      name: "the body of a response, whose request has the signal",
      code: `import { pipeline } from "node:stream/promises"; export async function f(signal: AbortSignal, to: NodeJS.WritableStream) { const response = await fetch("/", { signal }); await pipeline(response.body as unknown as NodeJS.ReadableStream, to); }`,
    },
    {
      name: "the same call again, after one with a signal of the function",
      code: `export async function f() { const controller = new AbortController(); setTimeout(() => controller.abort(), 10); const slow = fetch("/slow", { signal: controller.signal }); const rest = await fetch("/slow"); return [slow, rest]; }`,
    },
    {
      name: "the promise goes to orDone",
      code: `${context}export async function f(ctx: Context) { await orDone(ctx, fetch("/")); }`,
    },
    `${context}export async function f(ctx: Context) { const response = fetch("/"); await orDone(ctx, response); }`,
    {
      name: "a wait that decides when the signal aborts",
      code: `${timers}export async function f(work: (signal: AbortSignal) => unknown) { const controller = new AbortController(); work(controller.signal); await delay(10); controller.abort(); }`,
    },
    `export async function f(work: (signal: AbortSignal) => unknown) { const controller = new AbortController(); work(controller.signal); await fetch("/now"); controller.abort(); }`,
    {
      name: "a wait beside a context that the function made itself",
      code: `${context}${timers}export async function f() { using ctx = withTimeout(background(), 10); await delay(20); return ctx.err(); }`,
    },
    {
      name: "the limit of an earlier step",
      code: `export async function f() { const controller = new AbortController(); const timer = setTimeout(() => controller.abort(), 100); await fetch("/a", { signal: controller.signal }); clearTimeout(timer); await fetch("/b"); }`,
    },
    {
      name: "a step after one that has failed",
      code: `export async function f() { const controller = new AbortController(); setTimeout(() => controller.abort(), 100); try { await fetch("/a", { signal: controller.signal }); } catch { return; } await fetch("/b"); }`,
    },
    {
      name: "an event that arrives after the stop",
      code: `import { once, type EventEmitter } from "node:events"; export async function f(child: EventEmitter, signal: AbortSignal) { await once(child, "exit"); }`,
    },
    {
      name: "the name of a process signal",
      code: `process.on("SIGTERM", async (signal) => { await fetch("/" + signal); });`,
    },
    `export async function f(signal: string) { await fetch("/" + signal); }`,
    ...[
      `export async function shutdown(signal) { console.log(\`got \${signal}\`); await fetch("http://lb/deregister"); } process.on("SIGTERM", shutdown);`,
      `export async function shutdown(signal) { await fetch("http://lb/deregister"); } process.once("SIGTERM", shutdown);`,
      `export const shutdown = async (signal) => { await fetch("http://lb/deregister"); }; process.on("SIGTERM", shutdown);`,
      `async function shutdown(signal) { await fetch("http://lb/deregister"); } process.on("SIGTERM", () => void shutdown("SIGTERM"));`,
      `async function shutdown(signal) { await fetch("http://lb/deregister"); } process.on("SIGTERM", (signal) => void shutdown(signal));`,
      `export class Service { async onApplicationShutdown(signal) { await fetch("http://lb/deregister"); } }`,
      `export class Service { async beforeApplicationShutdown(signal) { await fetch("http://lb/deregister"); } }`,
      `export async function callHook(module, signal) { await fetch("http://lb/deregister"); await module.onApplicationShutdown(signal); }`,
      `export const stop = async (child, signal, u) => { child.kill(signal); await fetch(u); };`,
      `export const stop = async (signal, u) => { await fetch(u); console.log("stopped by", signal); };`,
      `export const stop = async (signal, u) => { if (signal === "SIGTERM") await fetch(u); };`,
      `export const stop = async (signal, u) => { switch (signal) { case "SIGTERM": await fetch(u); } };`,
      `export const radio = async (signal) => { await fetch(\`http://radio/\${signal.strength}\`); };`,
      `export const radio = async (antenna) => { await fetch(\`http://radio/\${antenna.signal.strength}\`); };`,
      `export const radio = async (signal) => { const { strength } = signal; await fetch("http://radio/" + strength); };`,
      `export const stop = async (result, u) => { const { signal } = result; await fetch(u); console.log(\`ended by \${signal}\`); };`,
    ].map(
      (code) =>
        ({ name: "a value that is only named signal", code, filename: "script.js" }) as const,
    ),
    {
      name: "a function of the user's own by the name of fetch",
      code: `import { fetch } from "./client.js"; export async function f(signal: AbortSignal) { await fetch("/"); }`,
      only: "syntax",
    },
    {
      name: "the fetch of eightysix, which takes a context",
      code: `${context}import { fetch } from "eightysix/fetch"; export async function f(ctx: Context) { await fetch(ctx, "http://127.0.0.1/"); }`,
    },
    {
      name: "a signal of the module",
      code: `const controller = new AbortController(); export async function f() { await fetch("/"); } f().finally(() => controller.abort());`,
    },
    {
      name: "a signal of a CommonJS module",
      code: `const controller = new AbortController(); exports.f = async () => { await fetch("/"); }; exports.controller = controller;`,
      filename: "common.cjs",
    },
    {
      name: "a signal that is declared after the call",
      code: `export async function f() { await fetch("/"); const controller = new AbortController(); return controller.signal; }`,
    },
    {
      name: "a signal in another case",
      code: `export async function f(n: number) { switch (n) { case 1: const controller = new AbortController(); return controller.signal; default: return await fetch("/"); } }`,
    },
    {
      name: "a variable of the same name hides the signal",
      code: `export function f(signal: AbortSignal) { return [1].map(async (n) => { const signal = n; await fetch("/" + signal); }); }`,
    },
    {
      name: "detach and shield take no signal from outside",
      code: `${context}import { detach } from "eightysix"; export function f(ctx: Context) { detach(ctx, 1_000, async () => { await fetch("/audit"); }); }`,
    },
    `${context}import { runWithoutContext } from "eightysix/current"; export function f(ctx: Context) { return runWithoutContext(async () => await fetch("/audit")); }`,
    {
      name: "Koa's ctx is not a context",
      code: `import { contexts } from "eightysix/koa"; app.use(contexts()); app.use(async (ctx) => { ctx.body = await fetch("/"); });`,
      filename: "script.js",
      only: "syntax",
    },
    {
      name: "the ctx of tRPC is not a context",
      code: `import { sleep } from "eightysix"; t.procedure.query(async ({ ctx, input }) => await fetch("/" + input)); void sleep;`,
      filename: "script.js",
      only: "syntax",
    },
    {
      name: "a name in the options",
      code: `import { writeFile } from "node:fs/promises"; export async function f(signal: AbortSignal) { await writeFile("x", ""); }`,
      options: [{ ignore: ["fs/promises.writeFile"] }],
    },
    {
      name: "a short name in the options",
      code: `import { writeFile } from "node:fs/promises"; export async function f(signal: AbortSignal) { await writeFile("x", ""); }`,
      options: [{ ignore: ["writeFile"] }],
    },
    {
      name: "a listener, which may end by other means",
      code: `export function f(signal: AbortSignal, target: EventTarget) { target.addEventListener("x", () => {}); }`,
    },
    {
      name: "a function that returns no promise",
      code: `declare function watch(name: string, options?: { signal?: AbortSignal }): void; export function f(signal: AbortSignal) { watch("x"); }`,
    },
    {
      name: "a function that gets a context",
      code: `${context}declare function load(ctx: Context, options?: { signal?: AbortSignal }): Promise<void>; export async function f(ctx: Context) { await load(ctx); }`,
    },
    {
      name: "a client that has the context",
      code: `${context}declare function client(ctx: Context): { query(id: string, options?: { signal?: AbortSignal }): Promise<void> }; export async function f(ctx: Context) { await client(ctx).query("a"); const api = client(ctx); await api.query("b"); }`,
    },
    {
      name: "a port and a host",
      code: `import { connect } from "node:net"; export function f(signal: AbortSignal, to: { port: number }) { connect(80, "host"); return connect(to); }`,
    },
    {
      name: "an array of arguments, or options",
      code: `import { spawn } from "node:child_process"; export function f(signal: AbortSignal, more: any) { return spawn("tool", more); }`,
    },
  ],
  invalid: [
    becomes(inFunction(`fetch(url)`), inFunction(`fetch(url, { signal })`)),
    becomes(
      inFunction(`fetch(url, { method: "POST" })`),
      inFunction(`fetch(url, { method: "POST", signal })`),
    ),
    becomes(inFunction(`fetch(url, {})`), inFunction(`fetch(url, { signal })`)),
    becomes(inFunction(`fetch(url,)`), inFunction(`fetch(url, { signal })`)),
    becomes(inFunction(`fetch((url))`), inFunction(`fetch((url), { signal })`)),
    becomes(inFunction(`globalThis.fetch(url)`), inFunction(`globalThis.fetch(url, { signal })`)),
    becomes(
      `${context}export async function f(ctx: Context) { await fetch("/"); }`,
      `${context}export async function f(ctx: Context) { await fetch("/", { signal: ctx.signal }); }`,
      { name: "the signal of a context" },
    ),
    becomes(
      `import { sleep } from "eightysix"; export async function f(ctx) { await sleep(ctx, 1); await fetch("/"); }`,
      `import { sleep } from "eightysix"; export async function f(ctx) { await sleep(ctx, 1); await fetch("/", { signal: ctx.signal }); }`,
      { filename: "script.js", name: "a parameter ctx of JavaScript" },
    ),
    becomes(
      `const { sleep } = require("eightysix"); exports.f = async (ctx) => { await sleep(ctx, 1); await fetch("/"); };`,
      `const { sleep } = require("eightysix"); exports.f = async (ctx) => { await sleep(ctx, 1); await fetch("/", { signal: ctx.signal }); };`,
      { filename: "common.cjs", name: "a parameter ctx of CommonJS" },
    ),
    becomes(
      inFunction(`delay(10)`, timers),
      inFunction(`delay(10, undefined, { signal })`, timers),
    ),
    becomes(inFunction(`delay(10, url)`, timers), inFunction(`delay(10, url, { signal })`, timers)),
    becomes(
      inFunction(`scheduler.wait(10)`, `import { scheduler } from "node:timers/promises";\n`),
      inFunction(
        `scheduler.wait(10, { signal })`,
        `import { scheduler } from "node:timers/promises";\n`,
      ),
    ),
    becomes(
      inFunction(`fs.promises.readFile(url)`, `import fs from "node:fs";\n`),
      inFunction(`fs.promises.readFile(url, { signal })`, `import fs from "node:fs";\n`),
    ),
    mayBecome(
      inFunction(`readFile(url, "utf8")`, `import { readFile } from "fs/promises";\n`),
      inFunction(
        `readFile(url, { encoding: "utf8", signal })`,
        `import { readFile } from "fs/promises";\n`,
      ),
      { name: "an encoding" },
    ),
    becomes(
      inFunction(`once(process, "message")`, `import { once } from "node:events";\n`),
      inFunction(`once(process, "message", { signal })`, `import { once } from "node:events";\n`),
    ),
    becomes(
      inFunction(
        `pipeline(process.stdin, process.stdout)`,
        `import { pipeline } from "node:stream/promises";\n`,
      ),
      inFunction(
        `pipeline(process.stdin, process.stdout, { signal })`,
        `import { pipeline } from "node:stream/promises";\n`,
      ),
    ),
    becomes(
      inFunction(
        `pipeline(process.stdin, process.stdout, { end: false })`,
        `import { pipeline } from "node:stream/promises";\n`,
      ),
      inFunction(
        `pipeline(process.stdin, process.stdout, { end: false, signal })`,
        `import { pipeline } from "node:stream/promises";\n`,
      ),
    ),
    becomes(
      inFunction(`spawn("tool", [url])`, `import { spawn } from "node:child_process";\n`),
      inFunction(
        `spawn("tool", [url], { signal })`,
        `import { spawn } from "node:child_process";\n`,
      ),
    ),
    becomes(
      inFunction(`spawn("tool")`, `import { spawn } from "node:child_process";\n`),
      inFunction(`spawn("tool", { signal })`, `import { spawn } from "node:child_process";\n`),
    ),
    becomes(
      inFunction(`exec("tool", () => {})`, `import { exec } from "node:child_process";\n`),
      inFunction(
        `exec("tool", { signal }, () => {})`,
        `import { exec } from "node:child_process";\n`,
      ),
      { name: "options in front of a callback" },
    ),
    becomes(
      inFunction(`get(url, () => {})`, `import { get } from "node:https";\n`),
      inFunction(`get(url, { signal }, () => {})`, `import { get } from "node:https";\n`),
    ),
    becomes(
      inFunction(`request({ host: url })`, `import { request } from "node:http";\n`),
      inFunction(`request({ host: url, signal })`, `import { request } from "node:http";\n`),
    ),
    becomes(
      inFunction(
        `rl.question("?")`,
        `import { createInterface } from "node:readline/promises"; const rl = createInterface(process.stdin);\n`,
      ),
      inFunction(
        `rl.question("?", { signal })`,
        `import { createInterface } from "node:readline/promises"; const rl = createInterface(process.stdin);\n`,
      ),
    ),
    becomes(
      `import { generateText } from "ai"; export const f = async (signal, model) => { signal.throwIfAborted(); return await generateText({ model }); };`,
      `import { generateText } from "ai"; export const f = async (signal, model) => { signal.throwIfAborted(); return await generateText({ model, abortSignal: signal }); };`,
      { filename: "script.js", only: "syntax" },
    ),
    becomes(
      `import OpenAI from "openai"; const openai = new OpenAI(); export const f = async (signal, body) => { signal.throwIfAborted(); return await openai.chat.completions.create(body); };`,
      `import OpenAI from "openai"; const openai = new OpenAI(); export const f = async (signal, body) => { signal.throwIfAborted(); return await openai.chat.completions.create(body, { signal }); };`,
      { filename: "script.js", only: "syntax" },
    ),
    becomes(
      `import axios from "axios"; export const f = async (signal, url) => { signal.throwIfAborted(); return [await axios.get(url), await axios.post(url, {}, { signal })]; };`,
      `import axios from "axios"; export const f = async (signal, url) => { signal.throwIfAborted(); return [await axios.get(url, { signal }), await axios.post(url, {}, { signal })]; };`,
      { filename: "script.js", only: "syntax" },
    ),
    becomes(
      `const got = require("got"); exports.f = async (signal, url) => { signal.throwIfAborted(); return await got(url); };`,
      `const got = require("got"); exports.f = async (signal, url) => { signal.throwIfAborted(); return await got(url, { signal }); };`,
      { filename: "common.cjs", only: "syntax" },
    ),
    becomes(
      `${own}export async function f(signal: AbortSignal) { await load("7"); }`,
      `${own}export async function f(signal: AbortSignal) { await load("7", { signal }); }`,
      { only: "types", name: "a function of the user's own" },
    ),
    becomes(
      `${own}export async function f(signal: AbortSignal) { await load("7", { deep: true }); }`,
      `${own}export async function f(signal: AbortSignal) { await load("7", { deep: true, signal }); }`,
      { only: "types" },
    ),
    mayBecome(
      `const init = { method: "POST" }; export async function f(signal: AbortSignal) { await fetch("/", init); }`,
      `const init = { method: "POST" }; export async function f(signal: AbortSignal) { await fetch("/", { ...init, signal }); }`,
      { name: "options without a signal from elsewhere" },
    ),
    becomes(
      `const init = { method: "POST" }; export async function f(signal: AbortSignal) { await fetch("/", { ...init }); }`,
      `const init = { method: "POST" }; export async function f(signal: AbortSignal) { await fetch("/", { ...init, signal }); }`,
    ),
    mayBecome(
      `export async function f(signal: AbortSignal, init: { method: string }) { await fetch("/", init); }`,
      `export async function f(signal: AbortSignal, init: { method: string }) { await fetch("/", { ...init, signal }); }`,
      { only: "types", name: "options whose type has no signal" },
    ),
    becomes(
      `export async function f(options: { signal?: AbortSignal }) { options.signal?.throwIfAborted(); await fetch("/"); }`,
      `export async function f(options: { signal?: AbortSignal }) { options.signal?.throwIfAborted(); await fetch("/", { signal: options.signal }); }`,
      { name: "a parameter with a signal" },
    ),
    becomes(
      `export async function f(options?: { signal?: AbortSignal }) { await fetch("/"); }`,
      `export async function f(options?: { signal?: AbortSignal }) { await fetch("/", { signal: options?.signal }); }`,
      { only: "types" },
    ),
    becomes(
      `export async function GET(request: Request) { return await fetch("http://backend/"); }`,
      `export async function GET(request: Request) { return await fetch("http://backend/", { signal: request.signal }); }`,
      { only: "types", name: "the signal of a Request" },
    ),
    becomes(
      `export const query = { queryFn: async ({ signal }: { signal: AbortSignal }) => await fetch("/") };`,
      `export const query = { queryFn: async ({ signal }: { signal: AbortSignal }) => await fetch("/", { signal }) };`,
      { name: "a signal in a pattern" },
    ),
    becomes(
      `declare function useEffect(effect: () => () => void): void; export function View() { useEffect(() => { const controller = new AbortController(); fetch("/").then((answer) => answer.json()); return () => controller.abort(); }); return <p />; }`,
      `declare function useEffect(effect: () => () => void): void; export function View() { useEffect(() => { const controller = new AbortController(); fetch("/", { signal: controller.signal }).then((answer) => answer.json()); return () => controller.abort(); }); return <p />; }`,
      { name: "an effect of React", filename: "jsx.tsx" } as object,
    ),
    becomes(
      `export function effect() { const controller = new AbortController(); async function load() { await fetch("/"); } void load(); return () => controller.abort(); }`,
      `export function effect() { const controller = new AbortController(); async function load() { await fetch("/", { signal: controller.signal }); } void load(); return () => controller.abort(); }`,
      { name: "a local function that is only called" },
    ),
    becomes(
      `export async function f(signal: AbortSignal, ids: string[]) { await Promise.all(ids.map(async (id) => await fetch(id))); }`,
      `export async function f(signal: AbortSignal, ids: string[]) { await Promise.all(ids.map(async (id) => await fetch(id, { signal }))); }`,
      { name: "a callback of map" },
    ),
    becomes(
      `export async function f(signal: AbortSignal) { await (async () => { await fetch("/"); })(); }`,
      `export async function f(signal: AbortSignal) { await (async () => { await fetch("/", { signal }); })(); }`,
      { name: "a function that is called at once" },
    ),
    becomes(
      `declare function retry<T>(fn: () => Promise<T>): Promise<T>; export async function f(signal: AbortSignal) { await retry(() => fetch("/")); }`,
      `declare function retry<T>(fn: () => Promise<T>): Promise<T>; export async function f(signal: AbortSignal) { await retry(() => fetch("/", { signal })); }`,
    ),
    becomes(
      `export async function f() { const controller = new AbortController(); const timer = setTimeout(() => controller.abort(), 100); try { await fetch("/"); } finally { clearTimeout(timer); } }`,
      `export async function f() { const controller = new AbortController(); const timer = setTimeout(() => controller.abort(), 100); try { await fetch("/", { signal: controller.signal }); } finally { clearTimeout(timer); } }`,
      { name: "a timer that aborts" },
    ),
    mayBecome(
      `export async function f(a: AbortSignal, signal: AbortSignal) { await fetch("/"); a.throwIfAborted(); }`,
      `export async function f(a: AbortSignal, signal: AbortSignal) { await fetch("/", { signal }); a.throwIfAborted(); }`,
      { name: "two signals" },
    ),
    mayBecome(
      `${context}export async function f(ctx: Context) { using child = withTimeout(ctx, 100); await fetch("/"); }`,
      `${context}export async function f(ctx: Context) { using child = withTimeout(ctx, 100); await fetch("/", { signal: child.signal }); }`,
      { name: "a context and its child" },
    ),
    mayBecome(
      `${context}export async function f(ctx: Context) { using life = withCancel(background()); await fetch("/"); }`,
      `${context}export async function f(ctx: Context) { using life = withCancel(background()); await fetch("/", { signal: ctx.signal }); }`,
      { name: "the given context comes before one that the function made" },
    ),
    mayBecome(
      `${context}import { all } from "eightysix"; export async function f(ctx: Context) { await all(ctx, [() => fetch("/")]); }`,
      `${context}import { all } from "eightysix"; export async function f(ctx: Context) { await all(ctx, [() => fetch("/", { signal: ctx.signal })]); }`,
      { name: "a task that could take its own context" },
    ),
    mayBecome(
      `${context}import { group } from "eightysix"; export async function f(ctx: Context) { await group(ctx, (g) => { void g.go(() => fetch("/")); }); }`,
      `${context}import { group } from "eightysix"; export async function f(ctx: Context) { await group(ctx, (g) => { void g.go(() => fetch("/", { signal: g.ctx.signal })); }); }`,
      { name: "a task of a group" },
    ),
    becomes(
      `${context}import { group } from "eightysix"; export async function f(ctx: Context) { await group(ctx, (g) => { void g.tryGo((own) => fetch("/")); }); }`,
      `${context}import { group } from "eightysix"; export async function f(ctx: Context) { await group(ctx, (g) => { void g.tryGo((own) => fetch("/", { signal: own.signal })); }); }`,
      { name: "the context of a task of a group" },
    ),
    becomes(
      `${context}import { all } from "eightysix"; export async function f(ctx: Context) { await all(ctx, [(own) => fetch("/")]); }`,
      `${context}import { all } from "eightysix"; export async function f(ctx: Context) { await all(ctx, [(own) => fetch("/", { signal: own.signal })]); }`,
      { name: "the context of a task" },
    ),
    becomes(
      `${context}export async function f(ctx: Context) { { using child = withTimeout(ctx, 100); await fetch("/"); } }`,
      `${context}export async function f(ctx: Context) { { using child = withTimeout(ctx, 100); await fetch("/", { signal: child.signal }); } }`,
      { name: "the context of the nearest block" },
    ),
    becomes(
      `${context}export async function f(ctx: Context, first = fetch("/")) { await first; return ctx.err(); }`,
      `${context}export async function f(ctx: Context, first = fetch("/", { signal: ctx.signal })) { await first; return ctx.err(); }`,
      { name: "the default of a later parameter" },
    ),
    becomes(
      `import { contexts } from "eightysix/express"; app.use(contexts()); app.get("/", async (req, res) => { res.json(await fetch("/")); });`,
      `import { contexts } from "eightysix/express"; app.use(contexts()); app.get("/", async (req, res) => { res.json(await fetch("/", { signal: req.ctx.signal })); });`,
      { filename: "script.js", only: "syntax", name: "the request of a route" },
    ),
    becomes(
      `${context}export async function f(req: { ctx: Context }) { await fetch("/"); }`,
      `${context}export async function f(req: { ctx: Context }) { await fetch("/", { signal: req.ctx.signal }); }`,
      { only: "types", name: "a request with a context" },
    ),
    becomes(
      `${context}export async function f(ctx?: Context) { await fetch("/"); }`,
      `${context}export async function f(ctx?: Context) { await fetch("/", { signal: ctx?.signal }); }`,
      { only: "types", name: "an optional context" },
    ),
    becomes(
      `${context}export async function f(c: { var: { ctx: Context } }) { await fetch("/"); }`,
      `${context}export async function f(c: { var: { ctx: Context } }) { await fetch("/", { signal: c.var.ctx.signal }); }`,
      { only: "types", name: "a context of Hono" },
    ),
    becomes(
      `import { sleep } from "eightysix"; import { contexts } from "eightysix/koa"; app.use(contexts()); app.use(async (koa) => { await sleep(koa.context, 1); koa.body = await fetch("/"); });`,
      `import { sleep } from "eightysix"; import { contexts } from "eightysix/koa"; app.use(contexts()); app.use(async (koa) => { await sleep(koa.context, 1); koa.body = await fetch("/", { signal: koa.context.signal }); });`,
      { filename: "script.js", only: "syntax", name: "a context of Koa" },
    ),
    becomes(
      `${context}export const report = { query: async ({ ctx: { ctx }, id }: { ctx: { ctx: Context }; id: string }) => await fetch(id) };`,
      `${context}export const report = { query: async ({ ctx: { ctx }, id }: { ctx: { ctx: Context }; id: string }) => await fetch(id, { signal: ctx.signal }) };`,
      { name: "a context in the ctx of tRPC" },
    ),
    becomes(
      `${context}export const report = async ({ ctx, input }: { ctx: { ctx: Context }; input: string }) => await fetch(input);`,
      `${context}export const report = async ({ ctx, input }: { ctx: { ctx: Context }; input: string }) => await fetch(input, { signal: ctx.ctx.signal });`,
      { name: "the ctx of tRPC, which has a context", only: "types" },
    ),
    becomes(
      `${context}import { detach } from "eightysix"; export function f(ctx: Context) { detach(ctx, 1_000, async (own) => { await fetch("/"); }); }`,
      `${context}import { detach } from "eightysix"; export function f(ctx: Context) { detach(ctx, 1_000, async (own) => { await fetch("/", { signal: own.signal }); }); }`,
      { name: "the context of a detached function" },
    ),
    ...(
      [
        [`export const load = async (signal, u) => { await fetch(u); };`, "signal"],
        [`export const load = async ({ signal, u }) => { await fetch(u); };`, "signal"],
        [
          `export const load = async (options, u) => { hand(options.signal); await fetch(u); };`,
          "signal: options.signal",
        ],
        [
          `export const load = async (options, u) => { const { signal } = options; await fetch(u); };`,
          "signal",
        ],
      ] as const
    ).map(([code, property]) => ({
      ...mayBecome(code, code.replace("fetch(u)", `fetch(u, { ${property} })`), {
        name: "a signal that is known only by its name",
      }),
      filename: "script.js" as const,
    })),
    becomes(
      `export const load = async (signal, u) => { signal.throwIfAborted(); await fetch(u); };`,
      `export const load = async (signal, u) => { signal.throwIfAborted(); await fetch(u, { signal }); };`,
      { filename: "script.js", name: "a signal that is known by its members" },
    ),
    becomes(
      `export const load = async (u) => { const { signal } = new AbortController(); await fetch(u); };`,
      `export const load = async (u) => { const { signal } = new AbortController(); await fetch(u, { signal }); };`,
      { filename: "script.js", name: "the signal of a new controller" },
    ),
    becomes(
      `export async function f(signal: AbortSignal) { if (!signal.aborted) { await fetch("/"); } }`,
      `export async function f(signal: AbortSignal) { if (!signal.aborted) { await fetch("/", { signal }); } }`,
      { name: "work while the signal has not aborted" },
    ),
    becomes(
      `export async function* f(signal: AbortSignal) { yield await fetch("/"); }`,
      `export async function* f(signal: AbortSignal) { yield await fetch("/", { signal }); }`,
      { name: "a generator" },
    ),
  ],
});
