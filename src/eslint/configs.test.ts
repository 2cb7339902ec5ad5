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
