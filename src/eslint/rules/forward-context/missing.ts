/** `sleep(100)` and `db.query("select 1")` without their context. */
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import { CONTEXT_FIRST } from "../../api.ts";
import { holdsContext } from "../../contexts.ts";
import type { RuleContext } from "../../create-rule.ts";
import { hasTwinMethod, isWrapped } from "./drivers.ts";
import { apiName, functionOf, propertyName, referenceOf, variableOf } from "../../references.ts";
import { typesOf } from "../../types.ts";

/** Whether a call lacks the context that its function takes first. */
export function lacksContext(call: TSESTree.CallExpression, context: RuleContext): boolean {
  return (
    mayLack(call) && takesContext(call.callee, context) && isNoContext(call.arguments[0], context)
  );
}

/** Arguments that are no contexts, whatever their types are. */
const NO_CONTEXTS: ReadonlySet<string> = new Set([
  ...["ArrayExpression", "ArrowFunctionExpression", "BinaryExpression", "FunctionExpression"],
  ...["Literal", "TaggedTemplateExpression", "TemplateLiteral"],
]);

/** Whether the first argument may be something else than a context. */
function mayLack({ arguments: [first] }: TSESTree.CallExpression): boolean {
  return (
    first === undefined ||
    NO_CONTEXTS.has(first.type) ||
    first.type === "Identifier" ||
    first.type === "MemberExpression"
  );
}

/** Whether the first argument is certainly no context. */
function isNoContext(first: TSESTree.Node | undefined, { sourceCode }: RuleContext): boolean {
  if (first === undefined || NO_CONTEXTS.has(first.type)) return true;
  return typesOf(sourceCode)?.isContext(first) === false;
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
  if (variable === undefined) return false;
  const module = isWrapped(variable, context);
  return module !== undefined && hasTwinMethod({ variable, module }, method, context);
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
