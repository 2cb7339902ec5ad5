/** Responses of `fetch`, whose body ends with the context of the request. */
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import type { RuleContext } from "../../create-rule.ts";
import { isGlobal, isReassigned, propertyName, referenceOf, variableOf } from "../../references.ts";
import { mentions } from "../../source-tree.ts";
import { withoutCasts } from "../../walk.ts";

type Variable = TSESLint.Scope.Variable;

/** Methods that read the body of a response, and return a promise. */
const READS = /^(?:arrayBuffer|blob|bytes|formData|json|text)$/;

/** Whether `node` reads the body of a response to a request that gets one of the contexts: `r.json()`. */
export function readsBody(
  node: TSESTree.Node,
  users: readonly Variable[],
  context: RuleContext,
): boolean {
  if (node.type !== "CallExpression" || node.callee.type !== "MemberExpression") return false;
  const { object } = node.callee;
  const method = propertyName(node.callee) ?? "";
  if (/^(?:then|catch|finally)$/.test(method)) return readsBody(object, users, context);
  return READS.test(method) && isResponse(object, users, context);
}

/** Whether `node` is such a response itself, with a body that nothing has read. */
export function isUnreadResponse(
  node: TSESTree.Node,
  users: readonly Variable[],
  context: RuleContext,
): boolean {
  const value = withoutCasts(node);
  if (value.type !== "Identifier") return isResponse(value, users, context);
  const variable = variableOf(value, context.sourceCode);
  return variable?.references.length === 2 && isResponse(value, users, context);
}

/** `await fetch(url, { signal: ctx.signal })`, or a variable that has it. */
function isResponse(
  node: TSESTree.Node,
  users: readonly Variable[],
  context: RuleContext,
): boolean {
  const value = withoutCasts(node);
  if (value.type === "Identifier") {
    const variable = variableOf(value, context.sourceCode);
    const definition = variable?.defs[0];
    if (variable === undefined || definition?.node.type !== "VariableDeclarator") return false;
    const { id, init } = definition.node;
    if (id.type !== "Identifier" || init === null || isReassigned(variable)) return false;
    return withoutCasts(init).type === "AwaitExpression" && isResponse(init, users, context);
  }
  if (value.type !== "AwaitExpression") return false;
  const call = withoutCasts(value.argument);
  if (call.type !== "CallExpression" || !isFetch(call.callee, context)) return false;
  if (call.arguments.some(isHead)) return false;
  return users.some((user) => call.arguments.some((argument) => mentions(argument, user)));
}

/** The global `fetch`, or that of eightysix. */
function isFetch(callee: TSESTree.Node, context: RuleContext): boolean {
  if (isGlobal(callee, "fetch", context)) return true;
  const reference = referenceOf(callee, context.sourceCode);
  return reference?.module === "eightysix/fetch" && reference.name === "fetch";
}

/** `{ method: "HEAD" }`, whose response has no body */
function isHead(node: TSESTree.Node): boolean {
  return (
    node.type === "ObjectExpression" &&
    node.properties.some(
      (property) =>
        property.type === "Property" &&
        property.key.type === "Identifier" &&
        property.key.name === "method" &&
        property.value.type === "Literal" &&
        property.value.value === "HEAD",
    )
  );
}
