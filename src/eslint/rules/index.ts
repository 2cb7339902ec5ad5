/** All rules, by name. A rule begins here, with its file, its test and its page in docs/eslint. */
import { forwardContext } from "./forward-context.ts";
import { forwardSignal } from "./forward-signal.ts";
import { noAbortSignalAny } from "./no-abort-signal-any.ts";
import { noTodo } from "./no-todo.ts";
import { preferTestContext } from "./prefer-test-context.ts";

export const rules = {
  "forward-context": forwardContext,
  "forward-signal": forwardSignal,
  "no-abort-signal-any": noAbortSignalAny,
  "no-todo": noTodo,
  "prefer-test-context": preferTestContext,
};
