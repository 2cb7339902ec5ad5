/**
 * Which file in src may import which, tests aside:
 *
 *   core  <  work  <  tasks  <  index.ts, internal.ts  <  wire, current, adapter  <  integrations
 *
 * - No file imports an integration. The one exception: frameworks import http.
 * - Drivers' integrations use the public entry eightysix/adapter, and what their servers share.
 * - No file imports a package. The types of drivers are described in files of this project.
 * - index.ts, the folders that it is made of, and wire import no `node:` module at the top level.
 * - No group of files imports itself in a circle, type-only imports included.
 */
import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { expect, test } from "vitest";

const integration = ["index.ts", "internal.ts", "adapter", "current", "wire"];

/** What each folder may import, besides itself. A folder that is not listed is an integration. */
const layers: Record<string, readonly string[]> = {
  core: [],
  work: ["core"],
  tasks: ["core", "work"],
  "index.ts": ["core", "work", "tasks"],
  // What integrations may take from the core, beyond the public root.
  "internal.ts": ["core", "work", "tasks"],
  // Not adapters of drivers: they load only the files of the adapter that they need.
  http: [...integration],
  fetch: [...integration],
  wire: ["index.ts", "internal.ts"],
  current: ["index.ts", "internal.ts"],
  adapter: ["index.ts", "internal.ts", "current"],
  // Replacing the clock and observing the tree are for tests alone, so no integration may do it.
  testing: ["index.ts", "internal.ts", "core/clock.ts", "core/tree.ts", "core/handle.ts"],
  // Runs in the linter, not in the program. It shows wrong settings as other errors show what was passed.
  eslint: ["core/show.ts"],
};
/** Files that take a package's types if the user has the package, and do without if not. */
const types: Record<string, string> = { "express/types.ts": "express", "hono/types.ts": "hono" };
/** Packages whose types the rules for ESLint are written with. Their values stay out. */
const typesOfRules = ["@typescript-eslint/utils", "typescript"];
const everyPlatform = ["core", "work", "tasks", "index.ts", "wire"];

/** What a driver's integration may take from the folder adapter. */
const isForDrivers = (path: string): boolean =>
  /^adapter\/(?:index\.ts$|wrong-driver\.ts$|orm\/|(?:mysql|postgresql|redis)\/)/.test(path);

// A framework's requests follow the rules of eightysix/http.
for (const framework of ["express", "fastify", "koa", "hono", "web"]) {
  layers[framework] = [...integration, "http"];
}

// `import … from "x"`, `export … from "x"`, `import "x"`; and `import("x")` of values and types.
const atTopLevel = /^[ \t]*(?:import|export)\s(?:[^"';]*?\sfrom\s*)?["']([^"']+)["']/gm;
const typeOnly = /^import type\s[^"';]*?\sfrom\s*["']([^"']+)["']/gm;
const inside = /\bimport\(\s*["']([^"']+)["']/g;

const matches = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map((match) => match[1] ?? "");

/** Maps paths in src to their text. */
type Files = Record<string, string>;

const target = (file: string, specifier: string): string =>
  posix.normalize(posix.join(posix.dirname(file), specifier));

/** Returns every import that the rules forbid, as `file imports x`. */
function violations(files: Files): string[] {
  return Object.entries(files).flatMap(([file, text]) => {
    const [home = ""] = file.split("/");
    const allowed = layers[home] ?? integration;
    const isBad = (specifier: string, topLevel: boolean): boolean => {
      if (specifier.startsWith("node:")) return everyPlatform.includes(home) && topLevel;
      if (home === "eslint" && typesOfRules.includes(specifier))
        return !matches(text, typeOnly).includes(specifier);
      if (!specifier.startsWith(".")) return !(types[file] === specifier && !topLevel);
      const path = target(file, specifier);
      const [folder = ""] = path.split("/");
      if (folder === "adapter" && !layers[home] && !isForDrivers(path)) return true;
      return folder !== home && !allowed.includes(folder) && !allowed.includes(path);
    };
    const bad = [
      ...matches(text, atTopLevel).filter((specifier) => isBad(specifier, true)),
      ...matches(text, inside).filter((specifier) => isBad(specifier, false)),
    ];
    return bad.map((specifier) => `${file} imports ${specifier}`);
  });
}

/** Returns one circle of imports, as the paths in it, or `undefined` if there is none. */
function circle(files: Files): string[] | undefined {
  const imports = (file: string): string[] =>
    [...matches(files[file] ?? "", atTopLevel), ...matches(files[file] ?? "", inside)]
      .filter((specifier) => specifier.startsWith("."))
      .map((specifier) => target(file, specifier));
  const finished = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): string[] | undefined => {
    if (finished.has(file)) return undefined;
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    path.push(file);
    for (const imported of imports(file)) {
      const found = visit(imported);
      if (found !== undefined) return found;
    }
    path.pop();
    finished.add(file);
    return undefined;
  };
  for (const file of Object.keys(files)) {
    const found = visit(file);
    if (found !== undefined) return found;
  }
  return undefined;
}

function readSource(): Files {
  const src = new URL("../src/", import.meta.url);
  const files = readdirSync(src, { recursive: true, encoding: "utf8" })
    .map((file) => file.replaceAll("\\", "/"))
    .filter((file) => /(?<!\.test)\.ts$/.test(file))
    .map((file) => [file, readFileSync(new URL(file, src), "utf8")] as const);
  expect(files.length).toBeGreaterThan(0);
  return Object.fromEntries(files);
}

test("the source keeps the import rules", () => {
  expect(violations(readSource())).toEqual([]);
});

test("no files of the source import each other in a circle", () => {
  expect(circle(readSource())).toBeUndefined();
});

test.each([
  [`import { b } from "./b.ts";`, `import { a } from "./a.ts";`],
  [`import type { B } from "./b.ts";`, `import type { A } from "./a.ts";`],
  [`export * from "./b.ts";`, `const a = () => import("./a.ts");`],
])("a circle is found: %s and %s", (a, b) => {
  const files = { "x/other.ts": "", "x/a.ts": a, "x/b.ts": b };
  expect(circle(files)).toEqual(["x/a.ts", "x/b.ts", "x/a.ts"]);
});

test.each([
  ["core/tree.ts", `import { sleep } from "../tasks/sleep.ts";`],
  ["core/tree.ts", `import type { Work } from "../work/types.ts";`],
  ["core/tree.ts", `export { x } from "../index.ts";`],
  ["core/tree.ts", `import { performance } from "node:perf_hooks";`],
  ["core/tree.ts", `import "node:process";`],
  ["wire/deadline.ts", `import { Buffer } from "node:buffer";`],
  ["core/tree.ts", `import {\n  performance,\n} from "node:perf_hooks";`],
  ["work/ledger.ts", `import { all } from "../tasks/all.ts";`],
  ["tasks/all.ts", `import { requestContext } from "../http/index.ts";`],
  ["index.ts", `export * from "./pg/index.ts";`],
  ["pg/index.ts", `import { requestContext } from "../http/index.ts";`],
  ["pg/index.ts", `import { link } from "../core/tree.ts";`],
  ["pg/index.ts", `import type { Pool } from "pg";`],
  ["pg/index.ts", `import { runStoppable } from "../adapter/stoppable.ts";`],
  ["pg/index.ts", `export const p: import("pg").Pool = await x;`],
  ["pg/pool.ts", `import { background } from "eightysix";`],
  ["koa/index.ts", `import { query } from "../pg/index.ts";`],
  ["adapter/index.ts", `import { link } from "../core/tree.ts";`],
  ["adapter/index.ts", `import { query } from "../pg/index.ts";`],
  ["testing/index.ts", `import { withCancel } from "../core/derive.ts";`],
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
  ["pg/index.ts", `import { runStoppable } from "../adapter/index.ts";`],
  ["pg/index.ts", `import { beginOf } from "../adapter/postgresql/begin.ts";`],
  ["koa/index.ts", `import { statusOf } from "../http/index.ts";`],
])("%s may: %s", (file, text) => {
  expect(violations({ [file]: text })).toEqual([]);
});
