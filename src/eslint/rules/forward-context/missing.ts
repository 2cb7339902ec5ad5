/** `sleep(100)` and `db.query("select 1")` without their context. */
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import { CONTEXT_FIRST } from "../../api.ts";
import { holdsContext } from "../../contexts.ts";
import type { RuleContext } from "../../create-rule.ts";
import { hasTwinMethod, isWrapped } from "../../drivers.ts";
import { apiName, functionOf, propertyName, referenceOf, variableOf } from "../../references.ts";
import { typesOf } from "../../types.ts";

/** Whether a call lacks the context that its function takes first. */
export function lacksContext(call: TSESTree.CallExpression, context: RuleContext): boolean {
  return isNoContext(call, context) && takesContext(call.callee, context);
}

/** Whether the first argument is certainly no context. */
function isNoContext(
  { arguments: [first] }: TSESTree.CallExpression,
  context: RuleContext,
): boolean {
  switch (first?.type) {
    case undefined:
    case "ArrayExpression":
    case "ArrowFunctionExpression":
    case "BinaryExpression":
    case "FunctionExpression":
    case "Literal":
    case "TaggedTemplateExpression":
    case "TemplateLiteral":
      return true;
    case "Identifier":
    case "MemberExpression":
      return typesOf(context.sourceCode)?.isContext(first) === false;
    default:
      return false;
  }
}

function takesContext(callee: TSESTree.Node, context: RuleContext): boolean {
  const api = apiName(callee, context);
  if (api !== undefined && CONTEXT_FIRST.has(api)) return true;
  const reference = referenceOf(callee, context.sourceCode);
  if (reference?.module === "eightysix/fetch" && reference.name === "fetch") return true;
  if (callee.type === "MemberExpression") return isDriverMethod(callee, context);
  if (callee.type !== "Identifier") return false;
  const variable = variableOf(callee, context.sourceCode);
  return variable !== undefined && isContextFunction(variable, context);
}

/** `db.query`, where `const db = withContext(pool)` */
function isDriverMethod(callee: TSESTree.MemberExpression, context: RuleContext): boolean {
  const method = propertyName(callee);
  if (method === undefined || callee.object.type !== "Identifier") return false;
  const variable = variableOf(callee.object, context.sourceCode);
  const module = variable && isWrapped(variable, context);
  return module !== undefined && hasTwinMethod({ variable: variable!, module }, method, context);
}

/** A function of the same file whose first parameter is a context that it needs. */
function isContextFunction(variable: TSESLint.Scope.Variable, context: RuleContext): boolean {
  const fn = functionOf(variable);
  if (fn === undefined) return false;
  const [first] = fn.params;
  if (first?.type !== "Identifier" || first.optional) return false;
  const parameter = context.sourceCode
    .getDeclaredVariables?.(fn)
    .find(({ identifiers }) => identifiers[0] === first);
  return parameter !== undefined && holdsContext(parameter, context);
}
