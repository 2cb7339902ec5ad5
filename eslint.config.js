import { defineConfig, globalIgnores } from "eslint/config";
import tseslint from "typescript-eslint";
// The rules that this package gives to its users. `npm run lint` builds them.
import eightysix from "./dist/eslint/index.js";

export default defineConfig(
  globalIgnores(["dist/", "build/", "coverage/", "test/fixtures/"]),
  tseslint.configs.strictTypeChecked,
  eightysix.configs.recommended,
  {
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "@typescript-eslint/no-extraneous-class": ["error", { allowWithDecorator: true }], // modules of NestJS
      "@typescript-eslint/no-unnecessary-condition": "off", // it does not see changes by callbacks
      "@typescript-eslint/no-unused-vars": [
        "error",
        { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }, // using _ = …
      ],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/switch-exhaustiveness-check": "error",
    },
  },
  {
    files: ["src/**"],
    rules: {
      "no-console": "error",
      "no-restricted-syntax": [
        "error",
        { selector: "ExportDefaultDeclaration", message: "Export by name." },
      ],
    },
  },
  {
    // Nodes of a syntax tree are told apart by strings, which the types declare as an enum.
    files: ["src/eslint/**"],
    rules: {
      "@typescript-eslint/no-unsafe-enum-comparison": "off",
      "@typescript-eslint/switch-exhaustiveness-check": "off",
    },
  },
  {
    files: ["src/eslint/index.ts"],
    rules: { "no-restricted-syntax": "off" }, // a plugin is a default export
  },
  {
    // The root runs in browsers, Deno, Bun and Workers too.
    files: ["src/index.ts", "src/{core,tasks,work}/**"],
    ignores: ["**/*.test.ts"],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            { regex: "^node:", message: "Load it when it is used, if the platform has it." },
          ],
        },
      ],
    },
  },
  {
    // Tests ignore a context on purpose, to see what then stops.
    files: ["**/*.test.ts", "test/**"],
    rules: {
      "eightysix/forward-context": "off",
      "eightysix/forward-signal": "off",
      "eightysix/no-abort-signal-any": "off",
    },
  },
  {
    files: ["**/*.test.ts"],
    rules: {
      "@typescript-eslint/no-base-to-string": "off", // tests check String(ctx)
      "@typescript-eslint/no-confusing-void-expression": "off",
      "@typescript-eslint/no-empty-function": "off",
      "@typescript-eslint/no-meaningless-void-operator": "off", // `void ctx.signal` watches the context
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/require-await": "off",
    },
  },
  {
    // Tests and benchmarks make contexts that nothing ends, and deep ones, to look at them.
    files: ["**/*.test.ts", "bench/**"],
    rules: { "eightysix/no-fat-context": "off", "eightysix/no-lost-cancel": "off" },
  },
  {
    // Tests pass wrong contexts on purpose, make keys on the spot, and start work to watch it.
    files: ["**/*.test.ts", "test/support/**"],
    rules: {
      "eightysix/no-floating-work": "off",
      "eightysix/no-nil-context": "off",
      "eightysix/typed-keys": "off",
    },
  },
  { files: ["**/*.js"], extends: [tseslint.configs.disableTypeChecked] },
);
