// Prints what each entry point weighs in a bundle, minified and gzipped, and holds the core to its
// limit. Bundled for no platform in particular, so a `node:` import in the core fails here too.
import { gzipSync } from "node:zlib";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { entries, root } from "./entries.js";

const LIMIT = 4000; // bytes, for the core

for (const [name, file] of entries) {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(file, root))],
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: "es2022",
    platform: "neutral",
    external: name ? ["node:*"] : [],
  });
  const size = gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }).length;
  const over = !name && size > LIMIT;
  if (over) process.exitCode = 1;
  const limit = name ? "" : ` of ${LIMIT} allowed${over ? ": TOO BIG" : ""}`;
  console.log(`${String(size).padStart(6)} bytes  eightysix${name}${limit}`);
}
