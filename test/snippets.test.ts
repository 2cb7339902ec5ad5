/** Compiles and runs every ts and js block of the documents; see snippets.ts. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { type Block, blocksOf, run, typeErrors } from "./snippets.ts";
import * as services from "./support/services/index.ts";
import { ownServers, servicesOf } from "./support/services/of-program.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const fixtures = join(root, "test/fixtures/snippets");
const markdown = (folder: string): string[] =>
  (existsSync(folder) ? readdirSync(folder) : [])
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(folder, name));

// Inside the repository, so that the blocks find node_modules.
mkdirSync(join(root, "build"), { recursive: true });
const dir = mkdtempSync(join(root, "build/snippets-"));
const read = async (name: string, docs: string[]) =>
  (await Promise.all(docs.map((doc) => blocksOf(doc, join(dir, name))))).flat();

const db = 'import pg from "pg"; import { withContext } from "eightysix/pg";\n';
const otherModules = {
  "db.ts": `${db}export const db = withContext(new pg.Pool());`,
  "db.js": `${db}export const db = withContext(new pg.Pool());`,
  "save.ts":
    'import type { Context } from "eightysix";\nexport declare function save(ctx: Context, x: unknown): Promise<void>;',
};
const docs = await read("docs", [...markdown(root), ...markdown(join(root, "docs"))]);
// Only compiled. Their functions are parts of a program, whose other modules these stand for.
for (const { file } of await read("docs/eslint", markdown(join(root, "docs/eslint"))))
  for (const [name, text] of Object.entries(otherModules))
    writeFileSync(join(dirname(file), name), text);
const good = await read("good", [join(fixtures, "good.md")]);
const bad = await read("bad", [join(fixtures, "bad.md")]);

// The blocks create tables and keys, so they do not use the servers of the run.
const servers = ownServers();
afterAll(async () => {
  await servers.stop();
  rmSync(dir, { recursive: true, force: true });
});

function runs({ option }: Block): boolean {
  return option !== "no-run";
}

test("all blocks of the documents compile", { timeout: 180_000 }, async () => {
  expect(docs.length > 0 ? await typeErrors(join(dir, "docs")) : []).toEqual([]);
});

for (const block of docs.filter(runs)) {
  const needed = servicesOf(block.code, services);
  const isMissing = needed.some(({ missing }) => missing?.() !== undefined);
  test.skipIf(isMissing && !process.env["CI"])(
    `the block ${block.name} prints what the document says`,
    { timeout: 60_000 },
    async () => run(block, await servers.environment(needed)),
  );
}

test("every block of the fixture good.md passes", { timeout: 60_000 }, async () => {
  expect(await typeErrors(join(dir, "good"))).toEqual([]);
  for (const block of good.filter(runs)) await run(block, {});
});

test(
  "every block of the fixture bad.md fails, for the right reason",
  { timeout: 60_000 },
  async () => {
    expect(await typeErrors(join(dir, "bad"))).toEqual([
      expect.stringMatching(/^bad\.md.4\.ts\(5,7\): error TS2322/),
      expect.stringMatching(/^bad\.md.10\.js\(11,10\): error TS2724/),
    ]);
    const reasons = [];
    for (const block of bad) {
      const neverEnds = block.option === "" && block.code.includes("setInterval");
      const bound = neverEnds ? 1_000 : 6_000;
      reasons.push(await run(block, {}, bound).catch(String));
    }
    expect(reasons).toEqual([
      undefined, // only the compiler finds this error
      expect.stringContaining("readFill"),
      expect.stringMatching(/exit 1[^]*bad.md.16.ts:18:/),
      expect.stringContaining("should have printed:\none\ntwo"),
      expect.stringContaining("should have printed:\ntwo"),
      expect.stringContaining("still ran after 1000 ms"),
      expect.stringContaining("the server ended by itself"),
      expect.stringContaining("should have printed:\nstopped: …"),
      expect.stringContaining("ended before SIGTERM"),
      expect.stringContaining("died of SIGTERM"),
      expect.stringContaining("still ran after 6000 ms"),
      expect.stringMatching(/exit 1[^]*expected 1 to be 2/),
    ]);
  },
);
