/** Lints src in one way, and prints how much CPU time the process needed. */
import { fileURLToPath } from "node:url";
import { ESLint, type Linter } from "eslint";
import eightysix from "eightysix/eslint";
import tseslint from "typescript-eslint";

export type Variant = "typed" | "typed+ours" | "parse" | "parse+ours";
export interface Figures {
  files: number;
  /** Milliseconds. */
  cpu: number;
}

const variant = process.argv[2] as Variant;
const cwd = fileURLToPath(new URL("../../../", import.meta.url));
const isTyped = variant.startsWith("typed");
const { recommended } = eightysix.configs;
const config = [
  ...(isTyped ? tseslint.configs.strictTypeChecked : []),
  variant.endsWith("+ours") ? recommended : { ...recommended, rules: {} },
  {
    languageOptions: {
      parserOptions: isTyped ? { projectService: true, tsconfigRootDir: cwd } : {},
    },
  },
] as Linter.Config[];

const eslint = new ESLint({ cwd, overrideConfigFile: true, overrideConfig: config });
const results = await eslint.lintFiles(["src/**/*.ts"]);
const broken = results.flatMap(({ messages }) => messages).find(({ fatal }) => fatal === true);
if (broken !== undefined) throw new Error(broken.message);
const { user, system } = process.cpuUsage();
const figures: Figures = { files: results.length, cpu: (user + system) / 1e3 };
console.log(JSON.stringify(figures));
