/** Whether a parameter may end the context that it is given: by its type, or by the name of the function. */
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import type { RuleContext } from "./create-rule.ts";
import { isOurs, propertyName, referenceOf, variableOf } from "./references.ts";
import { typesOf } from "./types.ts";

export type Call = TSESTree.CallExpression | TSESTree.NewExpression;

/** Names of functions that keep or end what they are given. Without types, only the name tells. */
const KEEPS =
  /^(?:abort|add|adopt|append|apply|assign|attach|bind|call|cancel|clean|close|defer|destroy|dispose|emit|end|enqueue|finish|freeze|give|hand|keep|kill|manage|next|own|push|register|release|resolve|return|save|send|set|stop|store|track|transfer|unshift|use)/i;

/** What the type of the parameter says. `undefined` if the lint is not typed. */
export function takesByType(call: Call, index: number, context: RuleContext): boolean | undefined {
  const types = typesOf(context.sourceCode);
  if (types === undefined) return undefined;
  const parameter = types.parameterType(call, index);
  return parameter === undefined || !types.cannotEnd(parameter);
}

/** Contexts are passed first, so a context in another place is passed for another reason. */
export function takesByName(call: Call, index: number): boolean {
  if (call.type === "NewExpression" || index > 0) return true;
  const { callee } = call;
  const name =
    callee.type === "MemberExpression"
      ? propertyName(callee)
      : callee.type === "Identifier"
        ? callee.name
        : undefined;
  return name === undefined || KEEPS.test(name);
}

export type FunctionNode =
  TSESTree.FunctionDeclaration | TSESTree.FunctionExpression | TSESTree.ArrowFunctionExpression;

/** Returns the function of the same file that an identifier names, if nothing else can be in it. */
export function functionOf(
  node: TSESTree.Node,
  { sourceCode }: RuleContext,
): FunctionNode | undefined {
  if (node.type !== "Identifier") return undefined;
  const variable = variableOf(node, sourceCode);
  const [definition] = variable?.defs ?? [];
  if (variable === undefined || variable.defs.length !== 1 || definition === undefined)
    return undefined;
  // The definition of a parameter has the node of its function, too.
  if (definition.type === "Parameter") return undefined;
  if (definition.node.type === "FunctionDeclaration") return definition.node;
  if (
    definition.node.type !== "VariableDeclarator" ||
    definition.parent?.type !== "VariableDeclaration"
  )
    return undefined;
  const { init } = definition.node;
  const isFunction =
    init?.type === "ArrowFunctionExpression" || init?.type === "FunctionExpression";
  return isFunction && definition.parent.kind === "const" ? init : undefined;
}

/** Whether a type is the `Context` of eightysix by name, or that or nothing. */
export function isContextAnnotation(node: TSESTree.TypeNode, context: RuleContext): boolean {
  if (node.type === "TSUnionType")
    return (
      node.types.some((part) => isContextAnnotation(part, context)) &&
      node.types.every((part) => isContextAnnotation(part, context) || isNothingType(part))
    );
  return typeReference(node, context) === "Context";
}

/** Returns the name of the type of eightysix that `node` names. */
export function typeReference(node: TSESTree.TypeNode, context: RuleContext): string | undefined {
  if (node.type !== "TSTypeReference") return undefined;
  const { typeName } = node;
  if (typeName.type === "Identifier") {
    const reference = referenceOf(typeName, context.sourceCode);
    return reference && isOurs(reference.module, context.settings) ? reference.name : undefined;
  }
  if (typeName.type !== "TSQualifiedName" || typeName.left.type !== "Identifier") return undefined;
  const reference = referenceOf(typeName.left, context.sourceCode);
  return reference && isOurs(reference.module, context.settings) && reference.name === undefined
    ? typeName.right.name
    : undefined;
}

function isNothingType(node: TSESTree.TypeNode): boolean {
  return node.type === "TSUndefinedKeyword" || node.type === "TSNullKeyword";
}

/** Whether the type of a parameter lets the function end it. `undefined` if the parameter has no type. */
export function takesByAnnotation(
  parameter: TSESTree.Identifier,
  context: RuleContext,
): boolean | undefined {
  const annotation = parameter.typeAnnotation?.typeAnnotation;
  if (annotation === undefined) return undefined;
  const types = typesOf(context.sourceCode);
  if (types !== undefined) return !types.cannotEnd(types.typeAt(parameter));
  return !isContextAnnotation(annotation, context);
}

/**
 * What the annotation of a called variable says of its parameter at `index`: of `own` in
 * `(use: (own: CancelableContext) => void)`. `undefined` if the file does not show it.
 */
export function takesByCallee(
  { callee }: Call,
  index: number,
  context: RuleContext,
): boolean | undefined {
  if (callee.type !== "Identifier") return undefined;
  const definition = variableOf(callee, context.sourceCode)?.defs[0];
  if (definition === undefined) return undefined;
  const annotation =
    definition.name.type === "Identifier"
      ? definition.name.typeAnnotation?.typeAnnotation
      : undefined;
  const signature = annotation?.type === "TSFunctionType" ? annotation : undefined;
  const parameter = signature?.params[index];
  const type = parameter?.type === "Identifier" ? parameter.typeAnnotation : undefined;
  return type && !isContextAnnotation(type.typeAnnotation, context);
}

/** Whether `node` names a global object, which the file does not declare itself. */
export function isGlobal(node: TSESTree.Node, name: string, { sourceCode }: RuleContext): boolean {
  if (node.type !== "Identifier" || node.name !== name) return false;
  const variable: TSESLint.Scope.Variable | undefined = variableOf(node, sourceCode);
  return variable === undefined || variable.defs.length === 0;
}
