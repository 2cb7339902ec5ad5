import type { TSESTree } from "@typescript-eslint/utils";
import { CONTEXT_FIRST } from "../api.ts";
import { contextAtHand } from "../at-hand.ts";
import { holdsContext } from "../contexts.ts";
import { createRule, type RuleContext } from "../create-rule.ts";
import { calledApi, isGlobal, propertyName } from "../references.ts";
import { typesOf } from "../types.ts";
import { importOf } from "../imports.ts";
import { withoutCasts } from "../walk.ts";
import { functionNamed, isContextDriver } from "../work.ts";

/** Refuses `null`, `undefined` and `{}` where a context goes. */
export const noNilContext = createRule({
  name: "no-nil-context",
  meta: {
    type: "problem",
    docs: {
      description: "Refuses `null`, `undefined` and `{}` where a context goes.",
      configs: ["recommended"],
    },
    messages: {
      nil: "This is no context, so the call fails when it runs. Pass the context of the caller, or todo() if there is none yet.",
      pass: "Pass `{{text}}`.",
    },
    hasSuggestions: true,
    schema: [],
  },
  create(context) {
    function check(call: TSESTree.CallExpression | TSESTree.NewExpression): void {
      call.arguments.forEach((argument, index) => {
        if (!isNil(argument, context) || !takesContext(call, index, context)) return;
        const texts = replacements(argument, context);
        context.report({
          node: argument,
          messageId: "nil",
          suggest: texts.map((text) => ({
            messageId: "pass",
            data: { text },
            fix: (fixer) => fixer.replaceText(argument, text),
          })),
        });
      });
    }
    return { CallExpression: check, NewExpression: check };
  },
});

/** Whether an expression is `null`, `undefined`, `void 0` or `{}`, whatever type it is given. */
function isNil(node: TSESTree.Node, context: RuleContext): boolean {
  const value = withoutCasts(node);
  switch (value.type) {
    case "Literal":
      return value.raw === "null";
    case "Identifier":
      return isGlobal(value, "undefined", context);
    case "UnaryExpression":
      return value.operator === "void" && value.argument.type === "Literal";
    case "ObjectExpression":
      return value.properties.length === 0;
    default:
      return false;
  }
}

function takesContext(
  call: TSESTree.CallExpression | TSESTree.NewExpression,
  index: number,
  context: RuleContext,
): boolean {
  const known = typesOf(context.sourceCode)?.requiresContext(call, index);
  if (known !== undefined) return known;
  if (call.type === "NewExpression") return false;
  const api = calledApi(call, context);
  if (api !== undefined) return index === 0 ? CONTEXT_FIRST.has(api) : api === "merge";
  if (call.callee.type === "MemberExpression")
    return (
      index === 0 &&
      QUERIES.has(propertyName(call.callee) ?? "") &&
      isContextDriver(call.callee.object, context)
    );
  const fn = functionNamed(call.callee, context);
  const parameter = fn?.params[index];
  if (fn === undefined || parameter?.type !== "Identifier" || parameter.optional) return false;
  const variables = context.sourceCode.getDeclaredVariables?.(fn) ?? [];
  return variables.some(
    (variable) => variable.identifiers[0] === parameter && holdsContext(variable, context),
  );
}

/** Methods of what `withContext` returns whose first parameter is a context. */
const QUERIES: ReadonlySet<string> = new Set([
  "connection",
  "execute",
  "findOne",
  "query",
  "stream",
  "transaction",
]);

/** Returns what the suggestions put in the place of `node`. */
function replacements(node: TSESTree.Node, context: RuleContext): string[] {
  const atHand = contextAtHand(node, context);
  if (atHand !== undefined) return [atHand.text];
  return ["background", "todo"].flatMap((name) => {
    const found = importOf(name, node, context);
    return found?.isImported === true ? [`${found.text}()`] : [];
  });
}
