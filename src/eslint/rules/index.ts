/** All rules, by name. A rule begins here, with its file, its test and its page in docs/eslint. */
import { contextFirst } from "./context-first.ts";
import { forwardContext } from "./forward-context.ts";
import { forwardSignal } from "./forward-signal.ts";
import { noAbortSignalAny } from "./no-abort-signal-any.ts";
import { noContextInField } from "./no-context-in-field.ts";
import { noFatContext } from "./no-fat-context.ts";
import { noFloatingWork } from "./no-floating-work.ts";
import { noLostCancel } from "./no-lost-cancel.ts";
import { noNilContext } from "./no-nil-context.ts";
import { noSwallowedCancellation } from "./no-swallowed-cancellation.ts";
import { noTodo } from "./no-todo.ts";
import { preferTestContext } from "./prefer-test-context.ts";
import { typedKeys } from "./typed-keys.ts";

export const rules = {
  "context-first": contextFirst,
  "forward-context": forwardContext,
  "forward-signal": forwardSignal,
  "no-abort-signal-any": noAbortSignalAny,
  "no-context-in-field": noContextInField,
  "no-fat-context": noFatContext,
  "no-floating-work": noFloatingWork,
  "no-lost-cancel": noLostCancel,
  "no-nil-context": noNilContext,
  "no-swallowed-cancellation": noSwallowedCancellation,
  "no-todo": noTodo,
  "prefer-test-context": preferTestContext,
  "typed-keys": typedKeys,
};
