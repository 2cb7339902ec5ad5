/** Which signal a variable gives. */
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import type { RuleContext } from "../create-rule.ts";
import { isGlobal, propertyName } from "../references.ts";
import { typesOf } from "../types.ts";

type Variable = TSESLint.Scope.Variable;

/**
 * Returns the expression of the signal that a variable is, or has: a signal, a controller, or a
 * parameter with a property `signal`, such as a `Request` or the options of the function.
 */
export function signalText(variable: Variable, context: RuleContext): string | undefined {
  const [definition] = variable.defs;
  const [name] = variable.identifiers;
  if (definition === undefined || name === undefined) return undefined;
  const isParameter = definition.type === "Parameter";
  const types = typesOf(context.sourceCode);
  if (types !== undefined && !types.isUnknown(name)) {
    if (types.isSignal(name) === true) return variable.name;
    const isHolder = types.isSignalHolder(name);
    if (!isHolder || !(isParameter || types.isController(name))) return undefined;
    return `${variable.name}${types.isOptional(name) ? "?." : "."}signal`;
  }
  if (isParameter) {
    if (isNamedSignal(variable, definition.node)) return variable.name;
    return readsSignal(variable) ? `${variable.name}.signal` : undefined;
  }
  const init = definition.node.type === "VariableDeclarator" ? definition.node.init : null;
  if (init === null) return undefined;
  if (init.type === "NewExpression")
    return isGlobal(init.callee, "AbortController", context)
      ? `${variable.name}.signal`
      : undefined;
  return isSignalInSource(init, definition.name, context) ? variable.name : undefined;
}

/** `const { signal } = controller`, `const own = controller.signal`, `const own = AbortSignal.any(…)` */
function isSignalInSource(init: TSESTree.Node, name: TSESTree.Node, context: RuleContext): boolean {
  if (name.parent?.type === "Property" && name.type === "Identifier")
    return name.name === "signal" && init.type === "Identifier";
  if (init.type === "MemberExpression") return propertyName(init) === "signal";
  return (
    init.type === "CallExpression" &&
    init.callee.type === "MemberExpression" &&
    isGlobal(init.callee.object, "AbortSignal", context)
  );
}

/**
 * Whether a parameter is named `signal`, and is not the name of a process signal, which listeners of
 * "exit" and "SIGTERM" get.
 */
function isNamedSignal({ name, identifiers }: Variable, fn: TSESTree.Node): boolean {
  const annotation = identifiers[0]?.typeAnnotation?.typeAnnotation;
  if (annotation?.type === "TSTypeReference")
    return annotation.typeName.type === "Identifier" && annotation.typeName.name === "AbortSignal";
  if (annotation !== undefined || (name !== "signal" && name !== "abortSignal")) return false;
  const { parent } = fn;
  return !(
    parent?.type === "CallExpression" &&
    parent.callee.type === "MemberExpression" &&
    /^(?:on|once|addListener)$/.test(propertyName(parent.callee) ?? "")
  );
}

function readsSignal(variable: Variable): boolean {
  return variable.references.some(({ identifier: { parent } }) => {
    const isRead = parent.type === "MemberExpression" && propertyName(parent) === "signal";
    // `signal.aborted = …` of another object, and calls such as `thread.signal()`, are no reads.
    return isRead && !(parent.parent.type === "CallExpression" && parent.parent.callee === parent);
  });
}
