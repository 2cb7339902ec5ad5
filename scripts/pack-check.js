// Packs the library and checks the tarball: with publint and attw, and installed alone in an empty
// folder, where it is imported, required and type-checked. Leaves nothing behind.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { entries, root } from "./entries.js";

const home = fileURLToPath(root);
const temp = mkdtempSync(join(tmpdir(), "eightysix-pack-"));
const app = join(temp, "app");

/** Runs a command through the shell (on Windows npm is a script). @param {string[]} args */
const run = (/** @type {string} */ cwd, ...args) =>
  execFileSync(args.map((arg) => `"${arg}"`).join(" "), {
    cwd,
    shell: true,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
const tool = (/** @type {string} */ name) => join(home, "node_modules", ".bin", name);

const sourceOf = (/** @type {string} */ file) =>
  file.replace(/^dist/, "src").replace(/(\.d\.ts|\.js)$/, ".ts");

try {
  const [packed] = JSON.parse(
    run(home, "npm", "pack", "--json", "--ignore-scripts", "--pack-destination", temp),
  );
  const tarball = join(temp, packed.filename);
  /** @type {string[]} */
  const files = packed.files.map((/** @type {{ path: string }} */ file) => file.path);
  const belongs = (/** @type {string} */ file) =>
    /^((docs|api|examples)\/.*|bench\/README\.md|[^/]+)$/.test(file) ||
    (/^dist\/.*(\.d\.ts|\.js)$/.test(file) && existsSync(new URL(sourceOf(file), root)));
  const strays = files.filter((file) => !belongs(file));
  assert.deepEqual(strays, [], "files that do not belong in the package: try `npm run clean`");
  console.log(`packed: ${files.length} files, ${packed.unpackedSize} bytes`);

  run(home, tool("publint"), "run", tarball, "--strict");
  console.log("publint: ok");
  run(home, tool("attw"), tarball, "--profile", "esm-only");
  console.log("attw: ok");

  mkdirSync(app);
  writeFileSync(join(app, "package.json"), `{ "private": true, "type": "module" }\n`);
  run(app, "npm", "install", "--no-audit", "--no-fund", tarball);
  const installed = readdirSync(join(app, "node_modules")).filter((name) => !name.startsWith("."));
  assert.deepEqual(installed, ["eightysix"], "nothing else is installed with it");

  // No peer is installed. An integration that imports its driver fails here.
  for (const [name] of entries) {
    const spec = `eightysix${name}`;
    writeFileSync(join(app, "import.js"), `await import("${spec}");\n`);
    run(app, process.execPath, "import.js");
    writeFileSync(join(app, "require.cjs"), `require("${spec}");\n`);
    run(app, process.execPath, "--disable-warning=ExperimentalWarning", "require.cjs");
  }
  console.log(`import and require: ok, ${entries.length} entry points`);

  // Without the types of Node and of the drivers.
  const imports = entries.map(([name], i) => `export * as e${i} from "eightysix${name}";`);
  writeFileSync(join(app, "types.ts"), `${imports.join("\n")}\n`);
  const compilerOptions = {
    ...{ strict: true, noEmit: true, module: "NodeNext", target: "ES2022", types: [] },
    lib: ["ES2022", "ESNext.Disposable", "DOM"],
  };
  writeFileSync(join(app, "tsconfig.json"), JSON.stringify({ compilerOptions }));
  run(app, tool("tsc"), "-p", ".");
  console.log("types: ok, without anybody else's");
} catch (err) {
  // The tools print their findings on standard output.
  if (err instanceof Error && "stdout" in err) console.error(String(err.stdout));
  throw err;
} finally {
  rmSync(temp, { recursive: true, force: true });
}
