/** All rules, by name. A rule begins here, with its file, its test and its page in docs/eslint. */
import { contextFirst } from "./context-first.ts";
import { noContextInField } from "./no-context-in-field.ts";
import { noFatContext } from "./no-fat-context.ts";
import { noLostCancel } from "./no-lost-cancel.ts";
import { noTodo } from "./no-todo.ts";

export const rules = {
  "context-first": contextFirst,
  "no-context-in-field": noContextInField,
  "no-fat-context": noFatContext,
  "no-lost-cancel": noLostCancel,
  "no-todo": noTodo,
};
