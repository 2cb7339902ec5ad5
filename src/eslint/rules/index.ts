/** All rules, by name. A rule begins here, with its file, its test and its page in docs/eslint. */
import { noFloatingWork } from "./no-floating-work.ts";
import { noNilContext } from "./no-nil-context.ts";
import { noSwallowedCancellation } from "./no-swallowed-cancellation.ts";
import { noTodo } from "./no-todo.ts";
import { typedKeys } from "./typed-keys.ts";

export const rules = {
  "no-floating-work": noFloatingWork,
  "no-nil-context": noNilContext,
  "no-swallowed-cancellation": noSwallowedCancellation,
  "no-todo": noTodo,
  "typed-keys": typedKeys,
};
