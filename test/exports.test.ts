/** package.json, the folders of src and the README name the same imports. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const root = new URL("../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), "utf8");
const pkg = JSON.parse(read("package.json")) as {
  exports: Record<string, string>;
  dependencies?: Record<string, string>;
  peerDependencies: Record<string, string>;
  peerDependenciesMeta: Record<string, { optional?: boolean }>;
  devDependencies: Record<string, string>;
};

const inner = ["core", "tasks", "work"];
/** Entry points within the folder of another one. */
const nested = ["testing/conformance"];
const integrations = readdirSync(new URL("src/", root), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !inner.includes(entry.name))
  .map((entry) => entry.name)
  .concat(nested);

test("every entry folder of src has one export in package.json, and no other export exists", () => {
  const folders = integrations.map((name) => [`./${name}`, `./dist/${name}/index.js`]);
  expect(pkg.exports).toEqual({
    ".": "./dist/index.js",
    ...(Object.fromEntries(folders) as Record<string, string>),
    "./package.json": "./package.json",
  });
});

const withoutReadme = !existsSync(new URL("README.md", root));
test.skipIf(withoutReadme)("the README lists every import", () => {
  const lines = read("README.md")
    .split("\n")
    .filter((line) => line.startsWith("- "));
  for (const name of integrations) {
    expect(lines.join("\n"), `a line for eightysix/${name}`).toContain(`\`eightysix/${name}\``);
  }
});

test("the package has no dependencies, and every driver is an optional peer with a lower bound only", () => {
  expect(pkg.dependencies).toBeUndefined();
  for (const [name, range] of Object.entries(pkg.peerDependencies)) {
    expect(pkg.peerDependenciesMeta[name], name).toEqual({ optional: true });
    // A range matches no pre-release, and some drivers release nothing else (DuckDB: 1.5.5-r.5).
    const onlyPreReleases = pkg.devDependencies[name]?.includes("-") ?? false;
    expect(range, name).toMatch(onlyPreReleases ? /^\*$/ : /^>=\d+(\.\d+)*$/);
  }
});

test("every development dependency is pinned to an exact version", () => {
  for (const [name, version] of Object.entries(pkg.devDependencies)) {
    expect(version, name).toMatch(/^(npm:[\w@/-]+@)?\d+\.\d+\.\d+(-[\w.]+)?$/);
  }
});
