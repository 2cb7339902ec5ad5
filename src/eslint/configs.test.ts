import type { Linter } from "eslint";
import { defineConfig } from "eslint/config";
import tseslint from "typescript-eslint";
import { expect, test } from "vitest";
import plugin from "./index.ts";

test("a rule has its own options in strict, and those of its default elsewhere", () => {
  const { recommended, strict } = plugin.configs;
  expect(recommended.rules["eightysix/no-lost-cancel"]).toBe("error");
  expect(strict.rules["eightysix/no-lost-cancel"]).toEqual(["error", { throws: true }]);
});

test("strict contains recommended, and the rules that are a matter of style", () => {
  const { recommended, strict } = plugin.configs;
  expect(Object.keys(strict.rules)).toEqual(expect.arrayContaining(Object.keys(recommended.rules)));
  expect(recommended.rules).not.toHaveProperty(["eightysix/no-context-in-field"]);
  expect(strict.rules).toHaveProperty(["eightysix/no-context-in-field"], "error");
});

test("the types of ESLint and of typescript-eslint take the configurations and the plugin", () => {
  const { recommended } = plugin.configs;
  const alone: Linter.Config[] = [recommended];
  const defined = defineConfig(tseslint.configs.base, recommended, { plugins: { own: plugin } });
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- programs use it
  const typed = tseslint.config(tseslint.configs.base, recommended);
  expect([alone, defined, typed].map((configs) => configs.includes(recommended as never))).toEqual([
    true,
    true,
    true,
  ]);
});
