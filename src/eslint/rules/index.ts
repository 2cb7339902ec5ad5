/** All rules, by name. A rule begins here, with its file, its test and its page in docs/eslint. */
import { noLostCancel } from "./no-lost-cancel.ts";
import { noTodo } from "./no-todo.ts";

export const rules = {
  "no-lost-cancel": noLostCancel,
  "no-todo": noTodo,
};
