import type { TSESTree } from "@typescript-eslint/utils";
import { isCancelable, isContext } from "../contexts.ts";
import { createRule, type RuleContext } from "../create-rule.ts";
import { isContextAnnotation } from "../ownership.ts";
import { typesOf } from "../types.ts";

type Signature = TSESTree.Node & { params: TSESTree.Parameter[] };

/** Asks for the context as the first parameter. Go: revive's context-as-argument. */
export const contextFirst = createRule({
  name: "context-first",
  meta: {
    type: "suggestion",
    docs: {
      description: "Asks for the context as the first parameter.",
      configs: ["strict"],
    },
    messages: {
      first:
        "Take the context `{{name}}` as the first parameter, as all functions with a context do.",
    },
    schema: [],
  },
  create(context) {
    const check = (node: Signature): void => {
      const [first, ...others] = node.params.filter((parameter) => nameOf(parameter) !== "this");
      // Cheap: most functions have no parameter behind the first whose type could be a context.
      const late = others.filter((one) => mayBeContext(one));
      if (first === undefined || late.length === 0) return;
      if (isContextParameter(first, context)) return;
      const found = late.find((one) => isContextParameter(one, context));
      if (found === undefined || isOrderedByOthers(node, context)) return;
      context.report({ node: found, messageId: "first", data: { name: nameOf(found) } });
    };
    return {
      FunctionDeclaration: check,
      FunctionExpression: check,
      ArrowFunctionExpression: check,
      TSDeclareFunction: check,
      TSEmptyBodyFunctionExpression: check,
      TSMethodSignature: check,
      TSFunctionType: check,
      TSCallSignatureDeclaration: check,
      TSConstructSignatureDeclaration: check,
      TSConstructorType: check,
    };
  },
});

function bindingOf(parameter: TSESTree.Parameter): TSESTree.Parameter {
  if (parameter.type === "TSParameterProperty") return bindingOf(parameter.parameter);
  return parameter.type === "AssignmentPattern" ? parameter.left : parameter;
}

function nameOf(parameter: TSESTree.Parameter): string {
  const binding = bindingOf(parameter);
  return binding.type === "Identifier" ? binding.name : "";
}

function mayBeContext(parameter: TSESTree.Parameter): boolean {
  const binding = bindingOf(parameter);
  if (binding.type !== "Identifier" || isDecorated(parameter)) return false;
  const type = binding.typeAnnotation?.typeAnnotation.type;
  return type === undefined
    ? /ctx|context/i.test(binding.name)
    : type === "TSTypeReference" || type === "TSUnionType";
}

/** Parsers of JavaScript know no decorators. */
function isDecorated(node: { decorators?: readonly unknown[] }): boolean {
  return (node.decorators ?? []).length > 0;
}

/** Whether a parameter is a context that its function cannot cancel. One that it can is handed over. */
function isContextParameter(parameter: TSESTree.Parameter, context: RuleContext): boolean {
  const binding = bindingOf(parameter);
  if (binding.type !== "Identifier") return false;
  const types = typesOf(context.sourceCode);
  if (types !== undefined)
    return types.isContext(binding) === true && types.isCancelable(binding) === false;
  const annotation = binding.typeAnnotation?.typeAnnotation;
  if (annotation !== undefined) return isContextAnnotation(annotation, context);
  return isContext(binding, context) && !isCancelable(binding, context);
}

/** Whether the order of the parameters is given: by a caller, by a type, or by a class above. */
function isOrderedByOthers(node: Signature, context: RuleContext): boolean {
  if (node.type === "ArrowFunctionExpression" || node.type === "FunctionExpression") {
    if (isMethod(node)) return isInherited(node.parent, context);
    if (isGivenAway(node)) return true;
    const types = typesOf(context.sourceCode);
    const typed = types?.checker.getContextualType(types.nodeOf(node) as never);
    return (typed?.getCallSignatures().length ?? 0) > 0;
  }
  return node.type === "TSEmptyBodyFunctionExpression" && isInherited(node.parent, context);
}

type Method = TSESTree.MethodDefinition | TSESTree.TSAbstractMethodDefinition;

function isMethod(node: TSESTree.Node): node is TSESTree.Node & { parent: Method } {
  return node.parent?.type === "MethodDefinition" && node.parent.value === node;
}

/**
 * Whether a function is passed to a call, also inside an object or an array, or has a type of its own.
 * A variable without a type, and a field, do not count.
 */
function isGivenAway(fn: TSESTree.Node): boolean {
  for (let node = fn; node.parent; node = node.parent) {
    const { parent } = node;
    switch (parent.type) {
      case "CallExpression":
      case "NewExpression":
        return parent.callee !== node;
      case "VariableDeclarator":
        return parent.id.typeAnnotation !== undefined;
      case "TSAsExpression":
      case "TSSatisfiesExpression":
      case "JSXExpressionContainer":
        return true;
      case "AssignmentExpression":
        return parent.left.type === "MemberExpression"; // its declaration, if any, has the order
      case "ReturnStatement":
        return false;
      case "Property":
      case "ObjectExpression":
      case "ArrayExpression":
      case "ConditionalExpression":
      case "LogicalExpression":
        continue;
      case "ArrowFunctionExpression":
      default:
        return false;
    }
  }
  return false;
}

/** Whether a class above, or an interface, declares the method, or a framework finds it by its decorator. */
function isInherited(method: TSESTree.Node, context: RuleContext): boolean {
  if (method.type !== "MethodDefinition" && method.type !== "TSAbstractMethodDefinition")
    return false;
  if (method.kind === "constructor") return false;
  if (method.override || isDecorated(method)) return true;
  const owner = method.parent.parent;
  const interfaces = (owner as Partial<typeof owner>).implements ?? [];
  if (owner.superClass === null && interfaces.length === 0) return false;
  const types = typesOf(context.sourceCode);
  if (types === undefined || method.key.type !== "Identifier") return true;
  const { name } = method.key;
  const above = interfaces.map((one) => types.checker.getTypeAtLocation(types.nodeOf(one)));
  if (owner.superClass !== null) {
    const self = types.checker.getTypeAtLocation(types.nodeOf(owner));
    above.push(...(self.getBaseTypes() ?? []));
    if (above.length === 0) return true;
  }
  return above.some((type) => type.getProperty(name) !== undefined);
}
