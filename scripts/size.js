// Prints the size of each entry point in a bundle, minified and gzipped. Fails if the core (what the
// root exports from src/core) is larger than its limit. The root is bundled for no particular
// platform, so a `node:` import in it fails, too.
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { entries, root } from "./entries.js";

// Slightly more than today's size, so that growth is noticed. A third of it are messages that explain
// misuse, foreign contexts, guards against foreign code, and the stacks of development mode. The original aim was 4000.
const LIMIT = 7350; // bytes

const path = (/** @type {string} */ file) => fileURLToPath(new URL(file, root));

/** @param {string} name @param {string} file @param {string} [contents] */
async function size(name, file, contents = readFileSync(path(file), "utf8")) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: dirname(path(file)) },
    ...{ bundle: true, minify: true, write: false, format: "esm", target: "es2022" },
    platform: "neutral",
    external: name.includes("/") ? ["node:*"] : [],
  });
  const bytes = gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }).length;
  console.log(`${String(bytes).padStart(6)} bytes  ${name}`);
  return bytes;
}

const index = readFileSync(path("dist/index.js"), "utf8");
const core = index.match(/^export [^;]* from "\.\/core\/[^"]*";$/gm) ?? [];
const bytes = await size(`the core, of ${LIMIT} allowed`, "dist/index.js", core.join("\n"));
for (const [name, file] of entries) await size(`eightysix${name}`, file);

if (core.length === 0 || bytes > LIMIT) {
  console.error("the core exceeds its limit");
  process.exitCode = 1;
}
