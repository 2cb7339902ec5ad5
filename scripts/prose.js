// Fails on words that mark a sentence without a plain subject (CONTRIBUTING.md, "How we write"). It
// reads comments, messages and test titles in the code, and every page. `npm run lint` runs it.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { root } from "./entries.js";

const WORDS = [
  "whoever",
  "somebody",
  "nobody",
  "everybody",
  "heed",
  "heeds",
  "heeded",
  "mend",
  "mends",
  "mended",
  "all the same",
  "of ours",
  "as good as",
  "let go of",
  "to no avail",
  "not to be had",
  "is over",
];
// In quotes, a word names a thing: the account "nobody".
const pattern = new RegExp(`(?<!["'\`])\\b(?:${WORDS.join("|")})\\b`, "i");

const files = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], {
  cwd: fileURLToPath(root),
  encoding: "utf8",
})
  .split("\n")
  .filter((file) => /\.(ts|js|md|html)$|^\.ci\/run$/.test(file) && file !== "scripts/prose.js")
  .filter((file) => !file.startsWith("api/"));

let found = 0;
for (const file of files) {
  readFileSync(new URL(file, root), "utf8")
    .split("\n")
    .forEach((line, i) => {
      const word = pattern.exec(line)?.[0];
      if (word === undefined) return;
      found++;
      console.error(`${file}:${i + 1}: "${word}": name the subject of this sentence`);
    });
}
if (found > 0) process.exitCode = 1;
