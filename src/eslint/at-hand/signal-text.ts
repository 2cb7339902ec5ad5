/** Which signal a variable gives. */
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import { isContext } from "../contexts.ts";
import type { RuleContext } from "../create-rule.ts";
import { isGlobal, propertyName, variableOf } from "../references.ts";
import { typesOf } from "../types.ts";
import { isOtherSignal, isReadAsAbortSignal } from "./process-signal.ts";

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
    if (isNamedSignal(variable, context)) return variable.name;
    const hasSignal = readsSignal(variable) && !isOtherSignal(variable, context, "signal");
    return hasSignal ? `${variable.name}.signal` : undefined;
  }
  const init = definition.node.type === "VariableDeclarator" ? definition.node.init : null;
  if (init === null) return undefined;
  if (isController(init, context) && definition.name.parent === definition.node)
    return `${variable.name}.signal`;
  const isSignal =
    isSignalInSource(init, definition.name, context) &&
    !(isGuessedInit(init, context) && isOtherSignal(variable, context));
  return isSignal ? variable.name : undefined;
}

/** `const { signal } = controller`, `const own = controller.signal`, `const own = AbortSignal.any(…)` */
function isSignalInSource(init: TSESTree.Node, name: TSESTree.Node, context: RuleContext): boolean {
  if (name.parent?.type === "Property" && name.type === "Identifier")
    return name.name === "signal" && (init.type === "Identifier" || isController(init, context));
  if (init.type === "MemberExpression") return propertyName(init) === "signal";
  return (
    init.type === "CallExpression" &&
    init.callee.type === "MemberExpression" &&
    isGlobal(init.callee.object, "AbortSignal", context)
  );
}

/** Whether a parameter is an `AbortSignal` by its annotation or, if it has none, by its name. */
function isNamedSignal(variable: Variable, context: RuleContext): boolean {
  const { name, identifiers } = variable;
  const annotation = identifiers[0]?.typeAnnotation?.typeAnnotation;
  if (annotation !== undefined) return isSignalAnnotation(annotation);
  return (name === "signal" || name === "abortSignal") && !isOtherSignal(variable, context);
}

function isSignalAnnotation(annotation: TSESTree.TypeNode): boolean {
  return (
    annotation.type === "TSTypeReference" &&
    annotation.typeName.type === "Identifier" &&
    annotation.typeName.name === "AbortSignal"
  );
}

/**
 * Whether nothing but a name says that the variable is a signal, or has one: there are no types, no
 * annotation, and no use that only an `AbortSignal` has.
 */
export function isGuessedSignal(variable: Variable, context: RuleContext): boolean {
  const [definition] = variable.defs;
  const [name] = variable.identifiers;
  if (definition === undefined || name === undefined) return false;
  const types = typesOf(context.sourceCode);
  if (types !== undefined && !types.isUnknown(name)) return false;
  if (isReadAsAbortSignal(variable)) return false;
  if (definition.type === "Parameter") return !isAnnotated(name);
  const init = definition.node.type === "VariableDeclarator" ? definition.node.init : null;
  return init !== null && isGuessedInit(init, context);
}

/** `options.signal` and `options`, but not those of a controller or a context. */
function isGuessedInit(init: TSESTree.Node, context: RuleContext): boolean {
  const object = init.type === "MemberExpression" ? init.object : init;
  if (isContext(object, context)) return false;
  if (object.type !== "Identifier") return object.type === "MemberExpression";
  const variable = variableOf(object, context.sourceCode);
  const [definition] = variable?.defs ?? [];
  if (variable === undefined || definition === undefined) return true;
  if (definition.node.type === "VariableDeclarator" && definition.node.init !== null)
    return !isController(definition.node.init, context);
  return !variable.identifiers.some(isAnnotated);
}

function isController(node: TSESTree.Node, context: RuleContext): boolean {
  return node.type === "NewExpression" && isGlobal(node.callee, "AbortController", context);
}

/** Whether a parameter, or the pattern that it is a part of, has an annotation. */
function isAnnotated(name: TSESTree.Identifier): boolean {
  let at: TSESTree.Node | undefined = name;
  while (at && !/Function/.test(at.type)) {
    if ("typeAnnotation" in at && at.typeAnnotation !== undefined) return true;
    at = at.parent;
  }
  return false;
}

function readsSignal(variable: Variable): boolean {
  return variable.references.some(({ identifier: { parent } }) => {
    const isRead = parent.type === "MemberExpression" && propertyName(parent) === "signal";
    // `signal.aborted = …` of another object, and calls such as `thread.signal()`, are no reads.
    return isRead && !(parent.parent.type === "CallExpression" && parent.parent.callee === parent);
  });
}
