/** All rules, by name. A rule begins here, with its file, its test and its page in docs/eslint. */
import { forwardContext } from "./forward-context.ts";
import { forwardSignal } from "./forward-signal.ts";
import { noTodo } from "./no-todo.ts";

export const rules = {
  "forward-context": forwardContext,
  "forward-signal": forwardSignal,
  "no-todo": noTodo,
};
