/** Whether what is only named `signal` is the name of a process signal, such as "SIGTERM", or another value. */
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import type { RuleContext } from "../create-rule.ts";
import { keyName, propertyName, variableOf } from "../references.ts";
import { isFunction, type FunctionNode } from "../source-tree.ts";

type Variable = TSESLint.Scope.Variable;

/** The members of an `AbortSignal`. */
const MEMBERS: ReadonlySet<string | undefined> = new Set([
  ...["aborted", "addEventListener", "onabort", "reason", "removeEventListener", "throwIfAborted"],
]);

/** Methods that take the listener of an event. Those of "SIGTERM" and "exit" get the name of a signal. */
const LISTENS = /^(?:on|once|addListener|prependListener|prependOnceListener)$/;

/** Hooks of NestJS that get the name of a process signal. */
const HOOK = /^(?:before|on)ApplicationShutdown$/;

/** Functions that take the name of a process signal, or print what they take. */
const TAKES_NAME =
  /^(?:kill|(?:before|on)ApplicationShutdown|debug|error|fatal|info|log|String|trace|verbose|warn)$/;

/**
 * Whether a parameter, known only by its name, is no `AbortSignal`: its function gets the name of a
 * process signal, or the code uses it, or its property `signal` if `path` is "signal", as something
 * else.
 */
export function isOtherSignal(
  variable: Variable,
  context: RuleContext,
  path?: "signal",
  seen: Set<Variable> = new Set<Variable>(),
): boolean {
  if (seen.has(variable)) return false; // a function that calls itself
  seen.add(variable);
  const [definition] = variable.defs;
  if (definition?.type === "Parameter" && path === undefined) {
    const fn = definition.node;
    if (isFunction(fn) && getsName(fn, definition.name, context, seen)) return true;
  }
  return variable.references.some(({ identifier }) => {
    const value = path === undefined ? identifier : identifier.parent;
    if (path !== undefined && !(isMember(value) && propertyName(value) === path)) return false;
    return isUsedAsOther(value);
  });
}

/** Whether the code reads a member that an `AbortSignal` has, of the variable or of its `signal`. */
export function isReadAsAbortSignal({ references }: Variable): boolean {
  const isRead = (node: TSESTree.Node | undefined): boolean =>
    isMember(node) && MEMBERS.has(propertyName(node));
  return references.some(({ identifier: { parent } }) => {
    return isRead(isMember(parent) && propertyName(parent) === "signal" ? parent.parent : parent);
  });
}

function isMember(node: TSESTree.Node | undefined): node is TSESTree.MemberExpression {
  return node?.type === "MemberExpression";
}

function isUsedAsOther(node: TSESTree.Node): boolean {
  const { parent } = node;
  switch (parent?.type) {
    case "TemplateLiteral":
      return true;
    case "BinaryExpression": // `signal === "SIGTERM"`, `"got " + signal`
      return [parent.left, parent.right].some(isString);
    case "SwitchStatement":
      return parent.discriminant === node;
    case "MemberExpression":
      return parent.object === node && !MEMBERS.has(propertyName(parent));
    case "CallExpression":
      return parent.callee === node || TAKES_NAME.test(calleeName(parent));
    case "VariableDeclarator":
      return (
        parent.init === node &&
        parent.id.type === "ObjectPattern" &&
        parent.id.properties.some(
          (one) => one.type === "Property" && !MEMBERS.has(keyName(one.key, one.computed)),
        )
      );
    default:
      return false;
  }
}

function isString(node: TSESTree.Node): boolean {
  return (
    node.type === "TemplateLiteral" || (node.type === "Literal" && typeof node.value === "string")
  );
}

function calleeName({ callee }: TSESTree.CallExpression): string {
  if (callee.type === "MemberExpression") return propertyName(callee) ?? "";
  return callee.type === "Identifier" ? callee.name : "";
}

/** Whether a function is a hook or a listener of process signals, or is called with the name of one. */
function getsName(
  fn: FunctionNode,
  parameter: TSESTree.Node,
  context: RuleContext,
  seen: Set<Variable>,
): boolean {
  if (isListener(fn)) return true;
  const { parent } = fn;
  if (parent.type === "MethodDefinition" || parent.type === "Property")
    return HOOK.test(keyName(parent.key, parent.computed) ?? "");
  const declaration = parent.type === "VariableDeclarator" ? parent : fn;
  const index = fn.params.findIndex((one) => one === parameter);
  const [variable] = context.sourceCode.getDeclaredVariables?.(declaration) ?? [];
  // The first variable of a function that has no name is its first parameter.
  if (variable === undefined || variable.defs[0]?.type === "Parameter") return false;
  if (HOOK.test(variable.name)) return true;
  return variable.references.some(({ identifier }) => {
    if (isListener(identifier)) return true;
    const call = identifier.parent;
    if (call.type !== "CallExpression" || call.callee !== identifier) return false;
    const given = call.arguments[index];
    if (given === undefined) return false;
    if (given.type !== "Identifier") return isString(given);
    const passed = variableOf(given, context.sourceCode);
    return passed?.defs[0]?.type === "Parameter" && isOtherSignal(passed, context, undefined, seen);
  });
}

/** Whether a function is passed to `process.on`, or to the `on` of something else. */
function isListener(fn: TSESTree.Node): boolean {
  const { parent } = fn;
  return (
    parent?.type === "CallExpression" &&
    parent.callee.type === "MemberExpression" &&
    parent.callee !== fn &&
    LISTENS.test(propertyName(parent.callee) ?? "")
  );
}
