/**
 * Who may import whom, in src without its tests:
 *
 *   core  <  work  <  tasks  <  index.ts, internal.ts  <  wire, current, adapter  <  integrations
 *
 * Nothing imports an integration, but the frameworks' import http, and nothing imports a package: drivers are described by types of
 * our own. The root (index.ts and what it is made of) imports no `node:` module at the top level.
 */
import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { expect, test } from "vitest";

/** What each folder may import beside itself; any other folder is an integration. */
const layers: Record<string, readonly string[]> = {
  core: [],
  work: ["core"],
  tasks: ["core", "work"],
  "index.ts": ["core", "work", "tasks"],
  // What integrations may take from the core beyond the public root.
  "internal.ts": ["core"],
  wire: ["index.ts", "internal.ts"],
  current: ["index.ts", "internal.ts"],
  adapter: ["index.ts", "internal.ts", "current"],
  // Time is not part of the public API: replacing it is for tests alone.
  testing: ["index.ts", "core/clock.ts"],
};
/** A package's types that are used where they are installed, and done without where they are not. */
const types: Record<string, string> = { "express/types.ts": "express", "hono/types.ts": "hono" };
const root = ["core", "work", "tasks", "index.ts"];
const integration = ["index.ts", "internal.ts", "adapter", "current", "wire"];

// What is said about a request to a framework is what eightysix/http says.
for (const framework of ["express", "fastify", "koa", "hono", "web"]) {
  layers[framework] = [...integration, "http"];
}

// `import … from "x"`, `export … from "x"`, `import "x"`; and `import("x")` of values and types.
const atTopLevel = /^[ \t]*(?:import|export)\s(?:[^"';]*?\sfrom\s*)?["']([^"']+)["']/gm;
const inside = /\bimport\(\s*["']([^"']+)["']/g;

const matches = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map((match) => match[1] ?? "");

/** `files` maps paths in src to their text; each violation reads `file imports x`. */
function violations(files: Record<string, string>): string[] {
  return Object.entries(files).flatMap(([file, text]) => {
    const [home = ""] = file.split("/");
    const allowed = layers[home] ?? integration;
    const isBad = (specifier: string, topLevel: boolean): boolean => {
      if (specifier.startsWith("node:")) return root.includes(home) && topLevel;
      if (!specifier.startsWith(".")) return !(types[file] === specifier && !topLevel);
      const target = posix.normalize(posix.join(posix.dirname(file), specifier));
      const [folder = ""] = target.split("/");
      return folder !== home && !allowed.includes(folder) && !allowed.includes(target);
    };
    const bad = [
      ...matches(text, atTopLevel).filter((specifier) => isBad(specifier, true)),
      ...matches(text, inside).filter((specifier) => isBad(specifier, false)),
    ];
    return bad.map((specifier) => `${file} imports ${specifier}`);
  });
}

test("the source keeps the import rules", () => {
  const src = new URL("../src/", import.meta.url);
  const files = readdirSync(src, { recursive: true, encoding: "utf8" })
    .map((file) => file.replaceAll("\\", "/"))
    .filter((file) => /(?<!\.test)\.ts$/.test(file))
    .map((file) => [file, readFileSync(new URL(file, src), "utf8")] as const);
  expect(files.length).toBeGreaterThan(0);
  expect(violations(Object.fromEntries(files))).toEqual([]);
});

test.each([
  ["core/tree.ts", `import { sleep } from "../tasks/sleep.ts";`],
  ["core/tree.ts", `import type { Work } from "../work/ledger.ts";`],
  ["core/tree.ts", `export { x } from "../index.ts";`],
  ["core/tree.ts", `import { performance } from "node:perf_hooks";`],
  ["core/tree.ts", `import "node:process";`],
  ["core/tree.ts", `import {\n  performance,\n} from "node:perf_hooks";`],
  ["work/ledger.ts", `import { all } from "../tasks/all.ts";`],
  ["tasks/all.ts", `import { requestContext } from "../http/index.ts";`],
  ["index.ts", `export * from "./pg/index.ts";`],
  ["pg/index.ts", `import { requestContext } from "../http/index.ts";`],
  ["pg/index.ts", `import { link } from "../core/tree.ts";`],
  ["pg/index.ts", `import type { Pool } from "pg";`],
  ["pg/index.ts", `export const p: import("pg").Pool = await x;`],
  ["pg/pool.ts", `import { background } from "eightysix";`],
  ["koa/index.ts", `import { query } from "../pg/index.ts";`],
  ["adapter/index.ts", `import { link } from "../core/tree.ts";`],
  ["adapter/index.ts", `import { query } from "../pg/index.ts";`],
  ["testing/index.ts", `import { link } from "../core/tree.ts";`],
])("%s may not: %s", (file, text) => {
  expect(violations({ [file]: text })).toHaveLength(1);
});

test.each([
  ["core/tree.ts", `import { now } from "./clock.ts";`],
  ["core/tree.ts", `const load = () => import("node:diagnostics_channel");`],
  ["tasks/all.ts", `import { link } from "../core/tree.ts";`],
  ["index.ts", `export { all } from "./tasks/all.ts";`],
  ["adapter/hold.ts", `import { afterFunc } from "../index.ts";`],
  ["pg/index.ts", `import { afterFunc } from "../index.ts";\nimport { hold } from "./hold.ts";`],
  ["http/index.ts", `import { createServer } from "node:http";`],
  ["testing/index.ts", `import { swapClock } from "../core/clock.ts";`],
  ["pg/index.ts", `import { guard } from "../adapter/guard.ts";`],
  ["koa/index.ts", `import { statusOf } from "../http/index.ts";`],
])("%s may: %s", (file, text) => {
  expect(violations({ [file]: text })).toEqual([]);
});
