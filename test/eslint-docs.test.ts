/** The pages in docs/eslint say what the rules do, and the code of all documents follows the rules. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Linter } from "eslint";
import { afterAll, expect, test } from "vitest";
import plugin from "../src/eslint/index.ts";
import { rules } from "../src/eslint/rules/index.ts";
import { blocksOf, type Block } from "./snippets.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const pages = join(root, "docs/eslint");
const read = (file: string): string => readFileSync(join(pages, file), "utf8");
const markdown = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(folder, name));

const dir = mkdtempSync(join(tmpdir(), "eightysix-eslint-docs-"));
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});

const linter = new Linter();
/** Returns the names of the rules that find something, each once. */
function findings({ code, file }: Block, own: Record<string, "error"> = {}): string[] {
  const { recommended } = plugin.configs;
  const config = { ...recommended, rules: { ...recommended.rules, ...own } };
  const messages = linter.verify(code, config, file.replace(dir, root));
  return [...new Set(messages.map(({ ruleId, message }) => ruleId ?? message))];
}

interface Meta {
  docs?: { description?: string; configs?: readonly string[] };
  fixable?: string;
  hasSuggestions?: boolean;
}
const metas = Object.entries(rules).map(([name, { meta }]) => [name, meta as Meta] as const);

test.each(metas)("the page of %s begins with what the rule says of itself", (name, meta) => {
  const configs = meta.docs?.configs?.map((config) => `\`${config}\``).join(", ") ?? "";
  const start = `# ${name}\n\n${meta.docs?.description ?? ""}\n\nConfiguration: ${configs}.\n`;
  expect(read(`${name}.md`).slice(0, start.length)).toBe(start);
});

test("the README of the rules lists every rule", () => {
  const lines = metas.map(([name, { docs, fixable, hasSuggestions }]) => {
    const repairs = [fixable && "🔧", hasSuggestions === true && "💡"].filter(Boolean).join(" ");
    const configs = docs?.configs?.map((config) => `\`${config}\``).join(", ") ?? "";
    return `| [${name}](${name}.md) | ${docs?.description ?? ""} | ${configs} | ${repairs} |`;
  });
  const rows = read("README.md").replace(/ {2,}/g, " ").replaceAll("| |", "|  |");
  for (const line of lines) expect(rows).toContain(line);
});

test("every page of docs/eslint belongs to a rule", () => {
  const names = readdirSync(pages).map((file) => file.replace(/\.md$/, ""));
  expect(names.filter((name) => name !== "README" && !(name in rules))).toEqual([]);
});

test.each(Object.keys(rules))(
  "the rule finds the bad blocks on the page of %s alone",
  async (name) => {
    const text = read(`${name}.md`);
    const blocks = await blocksOf(join(pages, `${name}.md`), join(dir, "pages"));
    const own = { [`eightysix/${name}`]: "error" } as const;
    const isBad = ({ name: at }: Block): boolean => {
      const line = Number(at.split(":")[1]); // that of the fence
      const above = text.split("\n").slice(0, line).join("\n");
      return new RegExp(`<!-- lint: ${name} -->\\s*\`\`\`\\w+\\s*$`).test(above);
    };
    expect(blocks.some(isBad), "a bad block").toBe(true);
    for (const block of blocks)
      expect([block.name, ...findings(block, own)]).toEqual(
        isBad(block) ? [block.name, `eightysix/${name}`] : [block.name],
      );
  },
);

test("no rule of recommended finds anything in the other documents", async () => {
  const files = [...markdown(root), ...markdown(join(root, "docs")), join(pages, "README.md")];
  const found = [];
  for (const [i, file] of files.filter((one) => existsSync(one)).entries())
    for (const block of await blocksOf(file, join(dir, String(i))))
      found.push(...findings(block).map((rule) => `${block.name}: ${rule}`));
  expect(found).toEqual([]);
});
