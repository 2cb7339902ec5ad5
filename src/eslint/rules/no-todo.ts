import { calledApi } from "../references.ts";
import { createRule } from "../create-rule.ts";

/** Refuses `todo()`, the context of code that is not finished. */
export const noTodo = createRule({
  name: "no-todo",
  meta: {
    type: "suggestion",
    docs: {
      description: "Refuses `todo()`, the context of code that is not finished.",
      configs: ["strict"],
    },
    messages: {
      todo: "todo() marks code that has no context yet. Take a context as the first parameter, and pass it here.",
    },
    schema: [],
  },
  create(context) {
    return {
      CallExpression(node) {
        if (calledApi(node, context) === "todo") context.report({ node, messageId: "todo" });
      },
    };
  },
});
