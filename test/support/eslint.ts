/**
 * Runs the cases of a rule of `eightysix/eslint`, each once without types and once with them. If a fix
 * or a suggestion makes code that does not compile, while the code before it does, the case fails.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as parser from "@typescript-eslint/parser";
import { RuleTester, type Rule as EslintRule } from "eslint";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import type { Rule } from "../../src/eslint/create-rule.ts";

const folder = fileURLToPath(new URL("../fixtures/eslint/", import.meta.url));

type Mode = "syntax" | "types";

interface Case {
  /** What is special about it. It is the title of the test, with the code below it. */
  name?: string;
  code: string;
  /** An empty file of test/fixtures/eslint, whose text the case replaces. The default is file.ts. */
  filename?: "file.ts" | "jsx.tsx" | "module.mts" | "script.js" | "common.cjs";
  options?: readonly unknown[];
  settings?: Record<string, unknown>;
  /** The case holds in one mode only. */
  only?: Mode;
}

interface Invalid extends Case {
  errors: {
    messageId: string;
    data?: Record<string, unknown>;
    line?: number;
    /** The suggestions, or their number if their output does not matter in this case. */
    suggestions?: number | { messageId: string; data?: Record<string, unknown>; output: string }[];
  }[];
  output?: string | string[] | null;
}

RuleTester.describe = describe;
RuleTester.it = it;
RuleTester.itOnly = it.only.bind(it);

const languageOptions = {
  syntax: { parser, parserOptions: { ecmaFeatures: { jsx: true } } },
  types: {
    parser,
    parserOptions: {
      project: "./tsconfig.json",
      tsconfigRootDir: folder,
      disallowAutomaticSingleRunInference: true, // a file has another text in each case
    },
  },
};

/** Declares the tests of a rule. A code without a name is its own title. */
export function testRule(
  rule: Rule<string, never> | Rule<string, readonly never[]> | object,
  { valid, invalid }: { valid: (string | Case)[]; invalid: Invalid[] },
): void {
  const name = (rule as { name?: string }).name ?? "rule";
  for (const mode of ["syntax", "types"] as const) {
    const chosen = <C extends Case>(cases: (string | C)[]): C[] =>
      cases
        .map((one) => (typeof one === "string" ? ({ code: one } as C) : one))
        .filter(({ only = mode }) => only === mode)
        .map(({ only: _, filename = "file.ts", ...rest }) => ({
          ...(rest as unknown as C),
          filename: join(folder, filename),
        }));
    describe(`${name}, ${mode === "types" ? "with types" : "without types"}`, () => {
      new RuleTester({ languageOptions: languageOptions[mode] }).run(
        name,
        rule as EslintRule.RuleModule,
        {
          valid: chosen(valid) as unknown as RuleTester.ValidTestCase[],
          invalid: chosen(invalid) as unknown as RuleTester.InvalidTestCase[],
        },
      );
    });
  }
  for (const { code, filename = "file.ts", output, errors } of invalid) {
    const made = [
      output,
      ...errors.flatMap(({ suggestions = [] }) =>
        typeof suggestions === "number" ? [] : suggestions.map((s) => s.output),
      ),
    ]
      .flat()
      .filter((text) => typeof text === "string");
    if (made.length === 0) continue;
    describe(`${name}, what its fixes make`, () => {
      it(`compiles: ${code}`, () => {
        const before = complaints(code, filename);
        for (const text of made)
          expect(before, text).toEqual(expect.arrayContaining(complaints(text, filename)));
      });
    });
  }
}

let service: ts.LanguageService | undefined;
const texts = new Map<string, { text: string; version: number }>();

/** Returns what the compiler says of a text. */
function complaints(text: string, filename: string): string[] {
  const file = join(folder, filename);
  texts.set(file, { text, version: (texts.get(file)?.version ?? 0) + 1 });
  service ??= newService();
  return [...service.getSyntacticDiagnostics(file), ...service.getSemanticDiagnostics(file)].map(
    ({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"),
  );
}

function newService(): ts.LanguageService {
  const { config } = ts.readConfigFile(join(folder, "tsconfig.json"), (path) =>
    readFileSync(path, "utf8"),
  ) as { config: object };
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, folder);
  return ts.createLanguageService({
    getCompilationSettings: () => options,
    getScriptFileNames: () => [...texts.keys()],
    getScriptVersion: (file) => String(texts.get(file)?.version ?? 0),
    getScriptSnapshot: (file) => {
      const text = texts.get(file)?.text ?? ts.sys.readFile(file);
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
    },
    getCurrentDirectory: () => folder,
    getDefaultLibFileName: (settings) => ts.getDefaultLibFilePath(settings),
    fileExists: (file) => ts.sys.fileExists(file),
    readFile: (file) => ts.sys.readFile(file),
    directoryExists: (path) => ts.sys.directoryExists(path),
    getDirectories: (path) => ts.sys.getDirectories(path),
  });
}
