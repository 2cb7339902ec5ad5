// The public entry points, as package.json has them: [["", "dist/index.js"], ["/pg", …], …].
import { readFileSync } from "node:fs";

export const root = new URL("../", import.meta.url);

/** @type {{ exports: Record<string, string> }} */
const { exports } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));

export const entries = Object.entries(exports)
  .filter(([name]) => name !== "./package.json")
  .map(([name, file]) => /** @type {const} */ ([name.slice(1), file.slice(2)]));
