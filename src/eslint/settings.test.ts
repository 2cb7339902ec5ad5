import { Linter } from "eslint";
import { expect, test } from "vitest";
import plugin from "./index.ts";

const lint = (eightysix: unknown): unknown =>
  new Linter().verify(`import { todo } from "#context"; export const ctx = todo();`, [
    plugin.configs.recommended,
    { rules: { "eightysix/no-todo": "error" }, settings: { eightysix } },
  ]);

test("modules of the user's own count as eightysix", () => {
  expect(lint({ modules: ["#context"] })).toMatchObject([{ ruleId: "eightysix/no-todo" }]);
  expect(lint({ modules: [] })).toEqual([]);
  expect(lint({})).toEqual([]);
});

test.each([
  ["#context", 'is the string "#context"'],
  [null, "is null"],
  [{ "#context": true }, "is an object of class Object"],
  [["#context", 5], "contains number 5"],
])("modules that are no array of strings are refused: %j", (modules, what) => {
  expect(() => lint({ modules })).toThrow(
    `settings.eightysix.modules must be an array of module names such as ["#context"], and ${what}.`,
  );
});

test.each([
  [["#context"], "an array"],
  ["#context", 'the string "#context"'],
])("settings that are no object are refused: %j", (settings, what) => {
  expect(() => lint(settings)).toThrow(
    `settings.eightysix must be an object such as { modules: ["#context"] }, and is ${what}.`,
  );
});
