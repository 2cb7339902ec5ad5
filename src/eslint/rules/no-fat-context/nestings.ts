/** The assignments of a file that put a child of a context in the place of that context. */
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import { CANCELABLE, PLAIN, ROOTS } from "../../api.ts";
import { holdsContext } from "../../contexts.ts";
import type { RuleContext } from "../../create-rule.ts";
import { calledApi, isReassigned, keyName, variableOf } from "../../references.ts";
import { typesOf } from "../../types.ts";

type Variable = TSESLint.Scope.Variable;

/** What an assignment writes: a variable, or a member of what a variable or `this` holds. */
export interface Target {
  /** The variable, or the one that holds the object. `undefined` stands for `this`. */
  root: Variable | undefined;
  /** The path from the variable to what is written: "" or ".ctx". */
  path: string;
}

/** `ctx = withValue(ctx, …)` */
export interface Nesting {
  node: TSESTree.AssignmentExpression;
  call: TSESTree.CallExpression;
  target: Target;
  /** The name of what is written, for messages. */
  text: string;
}

/** Names of functions that give a child of their argument. Without types, only the name tells. */
const DERIVES = /^(?:add|attach|bind|child|derive|extend|fork|inject|new|wrap|with)(?![a-z])/;

/** Returns what an assignment nests, and `undefined` if it does not. */
export function nestingOf(
  node: TSESTree.AssignmentExpression,
  context: RuleContext,
): Nesting | undefined {
  // If the value is also stored elsewhere, the chain is wanted.
  if (node.operator !== "=" || !isStatement(node)) return undefined;
  const call = callOf(node.right);
  if (call === undefined) return undefined;
  const target = targetOf(node.left, context);
  if (target === undefined) return undefined;
  if (!takes(call, target, context) || !derives(call, node.left, context)) return undefined;
  return { node, call, target, text: context.sourceCode.getText(node.left) };
}

function isStatement({ parent }: TSESTree.AssignmentExpression): boolean {
  return (
    parent.type === "ExpressionStatement" ||
    parent.type === "ForStatement" ||
    parent.type === "ArrowFunctionExpression" ||
    parent.type === "SequenceExpression"
  );
}

/** Whether a call is given the target, or a child of it: `withValue(withTimeout(ctx, 5), …)`. */
function takes(call: TSESTree.CallExpression, target: Target, context: RuleContext): boolean {
  return call.arguments.some((argument) => {
    if (argument.type === "CallExpression")
      return calledApi(argument, context) !== undefined && takes(argument, target, context);
    const passed = targetOf(argument, context);
    return passed !== undefined && isSame(passed, target);
  });
}

function callOf(value: TSESTree.Expression): TSESTree.CallExpression | undefined {
  switch (value.type) {
    case "CallExpression":
      return value;
    case "AwaitExpression":
      return callOf(value.argument);
    case "TSAsExpression":
    case "TSNonNullExpression":
    case "TSSatisfiesExpression":
      return callOf(value.expression);
    default:
      return undefined;
  }
}

/** Whether a call returns a child of the context that it is given. */
function derives(
  call: TSESTree.CallExpression,
  written: TSESTree.Node,
  context: RuleContext,
): boolean {
  const api = calledApi(call, context);
  if (api !== undefined) return (CANCELABLE.has(api) || PLAIN.has(api)) && !ROOTS.has(api);
  const types = typesOf(context.sourceCode);
  if (types !== undefined) {
    if (types.isContext(written) !== true) return false;
    const returned = types.signatureOf(call)?.getReturnType();
    return returned !== undefined && types.isContextType(returned) === true;
  }
  if (call.callee.type !== "Identifier" || !DERIVES.test(call.callee.name)) return false;
  const variable =
    written.type === "Identifier" ? variableOf(written, context.sourceCode) : undefined;
  return variable !== undefined && holdsContext(variable, context);
}

/** Returns what an expression names. A computed key, such as that in `all[i].ctx`, names nothing. */
export function targetOf(node: TSESTree.Node, context: RuleContext): Target | undefined {
  if (node.type === "ThisExpression") return { root: undefined, path: "" };
  if (node.type === "TSNonNullExpression" || node.type === "TSAsExpression")
    return targetOf(node.expression, context);
  if (node.type === "Identifier") {
    const variable = variableOf(node, context.sourceCode);
    return variable && { root: variable, path: "" };
  }
  if (node.type !== "MemberExpression") return undefined;
  const key =
    node.property.type === "PrivateIdentifier"
      ? `#${node.property.name}`
      : node.computed && node.property.type === "Literal"
        ? String(node.property.value)
        : keyName(node.property, node.computed);
  const object = targetOf(node.object, context);
  if (key === undefined || object === undefined) return undefined;
  return { root: object.root && behindAlias(object.root, context), path: `${object.path}.${key}` };
}

/** `const c = pc` names the same object as `pc`. */
function behindAlias(variable: Variable, context: RuleContext): Variable {
  const [definition] = variable.defs;
  if (definition?.node.type !== "VariableDeclarator" || isReassigned(variable)) return variable;
  const { id, init } = definition.node;
  if (id.type !== "Identifier" || init?.type !== "Identifier") return variable;
  const other = variableOf(init, context.sourceCode);
  return other === undefined || other === variable ? variable : behindAlias(other, context);
}

export function isSame(a: Target, b: Target): boolean {
  return a.root === b.root && a.path === b.path;
}
