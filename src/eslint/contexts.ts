/** Whether an expression is a context: by its type, or by its origin if there are no types. */
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import { CANCELABLE, GIVES_CONTEXT, PLAIN } from "./api.ts";
import type { RuleContext } from "./create-rule.ts";
import { startsTask } from "./groups.ts";
import {
  apiName,
  calledApi,
  importsEightysix,
  importsFrom,
  isOurs,
  isReassigned,
  keyName,
  propertyName,
  referenceOf,
  variableOf,
} from "./references.ts";
import { typesOf } from "./types.ts";
import { isCast } from "./walk.ts";

/** Whether an expression is a context. */
export function isContext(node: TSESTree.Node, context: RuleContext): boolean {
  return typesOf(context.sourceCode)?.isContext(node) ?? originOf(node, context) !== undefined;
}

/** Whether an expression is a context that its owner must end. */
export function isCancelable(node: TSESTree.Node, context: RuleContext): boolean {
  return (
    typesOf(context.sourceCode)?.isCancelable(node) ?? originOf(node, context) === "cancelable"
  );
}

/** Whether a variable, or the parameter of a function, holds a context. */
export function holdsContext(variable: TSESLint.Scope.Variable, context: RuleContext): boolean {
  const [name] = variable.identifiers;
  if (name === undefined) return false;
  return (
    typesOf(context.sourceCode)?.isContext(name) ??
    originOfVariable(variable, context) !== undefined
  );
}

type Origin = "context" | "cancelable";

/** How many steps of `const a = b` are followed. A broken program may have a circle of them. */
const LONGEST_CHAIN = 8;

/** Where a context comes from, as far as the source of the file tells. */
function originOf(
  node: TSESTree.Node,
  context: RuleContext,
  left = LONGEST_CHAIN,
): Origin | undefined {
  const api = calledApi(node, context);
  if (api !== undefined && CANCELABLE.has(api)) return "cancelable";
  if (api !== undefined && PLAIN.has(api)) return "context";
  if (isCast(node)) return originOf(node.expression, context, left);
  if (node.type === "MemberExpression") {
    // Where frameworks keep the context of a request, and a group its own.
    return propertyName(node) === "ctx" && importsEightysix(context) ? "context" : undefined;
  }
  if (node.type !== "Identifier") return undefined;
  const variable = variableOf(node, context.sourceCode);
  return variable && originOfVariable(variable, context, left - 1);
}

function originOfVariable(
  variable: TSESLint.Scope.Variable,
  context: RuleContext,
  left = LONGEST_CHAIN,
): Origin | undefined {
  const [definition] = variable.defs;
  if (definition === undefined || left === 0) return undefined;
  const { node, name } = definition;
  const annotation = name.type === "Identifier" ? name.typeAnnotation?.typeAnnotation : undefined;
  if (annotation?.type === "TSTypeReference") {
    const type = exportedType(annotation.typeName, context);
    if (type === "CancelableContext") return "cancelable";
    return type === "Context" ? "context" : undefined;
  }
  if (node.type === "VariableDeclarator") {
    if (node.id.type !== "Identifier" || node.init === null) return undefined;
    const origin = originOf(node.init, context, left);
    return origin === "cancelable" && isReassigned(variable) ? "context" : origin;
  }
  if (definition.type !== "Parameter" || annotation !== undefined) return undefined;
  return isGivenContext(node, name, context) || isNamedContext(name, context)
    ? "context"
    : undefined;
}

/** Returns the name of the type of eightysix that `Context`, or `e.Context`, is. */
function exportedType(name: TSESTree.EntityName, context: RuleContext): string | undefined {
  const isQualified = name.type === "TSQualifiedName";
  const left = isQualified ? name.left : name;
  if (left.type !== "Identifier") return undefined;
  const reference = referenceOf(left, context.sourceCode);
  if (reference === undefined || !isOurs(reference.module, context.settings)) return undefined;
  if (!isQualified) return reference.name;
  return reference.name === undefined ? name.right.name : undefined;
}

/** Frameworks whose own `ctx` is something else. */
const OWN_CTX = /^(?:koa|@koa\/.*|koa-.*|eightysix\/koa|telegraf|grammy|@trpc\/server)$/;

/** Properties of what tRPC passes to a procedure beside its own `ctx`. */
const BESIDE_OWN_CTX: ReadonlySet<string> = new Set(["getRawInput", "input", "next", "rawInput"]);

/** Whether a parameter is a context by its name, in a file whose frameworks call nothing else so. */
function isNamedContext(name: TSESTree.Node, context: RuleContext): boolean {
  if (name.type !== "Identifier" || name.name !== "ctx" || !importsEightysix(context)) return false;
  if (name.parent.type !== "Property")
    return !importsFrom(context, (module) => OWN_CTX.test(module));
  // `{ ctx }` of a framework, but `{ ctx: { ctx } }` of tRPC.
  const pattern = name.parent.parent;
  if (pattern.parent.type === "Property") return true;
  return (
    !importsFrom(context, (module) => OWN_CTX.test(module)) &&
    pattern.type === "ObjectPattern" &&
    !pattern.properties.some(
      (property) =>
        property.type === "Property" &&
        BESIDE_OWN_CTX.has(keyName(property.key, property.computed) ?? ""),
    )
  );
}

/** Whether `parameter` is the first of a function that is passed to `handler`, `g.go` or the like. */
function isGivenContext(
  fn: TSESTree.Node,
  parameter: TSESTree.Node,
  context: RuleContext,
): boolean {
  if (!("params" in fn) || !Array.isArray(fn.params) || fn.params[0] !== parameter) return false;
  const call = fn.parent?.type === "ArrayExpression" ? fn.parent.parent : fn.parent;
  if (call?.type !== "CallExpression") return false;
  const api = apiName(call.callee, context);
  return api === undefined ? startsTask(call, context) : GIVES_CONTEXT.has(api);
}
