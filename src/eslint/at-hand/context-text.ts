/** Which context a variable gives, and where that context comes from. */
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import { holdsContext, isContext } from "../contexts.ts";
import type { RuleContext } from "../create-rule.ts";
import { isGroupParameter } from "../groups.ts";
import { calledApi, importsFrom, propertyName, variableOf } from "../references.ts";
import { typesOf } from "../types.ts";

type Variable = TSESLint.Scope.Variable;

/** Where frameworks keep the context: `req.ctx`, `c.var.ctx` of Hono, `koa.context`. */
const PATHS = [["ctx"], ["var", "ctx"], ["context"]] as const;

/** How many steps from a context to its parent are followed. */
const LONGEST_CHAIN = 8;

/** Returns the expression of the context that a variable is or, if it is a parameter, has. */
export function contextText(variable: Variable, context: RuleContext): string | undefined {
  const [definition] = variable.defs;
  const [name] = variable.identifiers;
  if (definition === undefined || name === undefined) return undefined;
  const types = typesOf(context.sourceCode);
  if (holdsContext(variable, context)) {
    const isOptional = (types?.isOptional(name) ?? false) || name.optional;
    return isOptional ? undefined : variable.name;
  }
  if (definition.type !== "Parameter") return undefined;
  if (isGroupParameter(definition.node, definition.name, context)) return `${variable.name}.ctx`;
  const path =
    types === undefined || types.isUnknown(name)
      ? pathInSource(variable, definition.node, context)
      : PATHS.find((path) => types.hasContextAt(name, path));
  return path && [variable.name, ...path].join(".");
}

/** The same without types: the file reads that property elsewhere, or the function is a route. */
function pathInSource(
  variable: Variable,
  fn: TSESTree.Node,
  context: RuleContext,
): readonly string[] | undefined {
  if (!importsFrom(context, (module) => module.startsWith("eightysix"))) return undefined;
  const known = PATHS.find((path) =>
    path[0] === "context"
      ? importsFrom(context, (module) => module === "eightysix/koa") && reads(variable, path)
      : reads(variable, path),
  );
  return known ?? (isRequestOfRoute(variable, fn, context) ? PATHS[0] : undefined);
}

function reads(variable: Variable, path: readonly string[]): boolean {
  return variable.references.some(({ identifier }) => {
    let at: TSESTree.Node = identifier;
    for (const part of path) {
      const parent: TSESTree.Node | undefined = at.parent;
      if (parent?.type !== "MemberExpression" || parent.object !== at) return false;
      if (propertyName(parent) !== part) return false;
      at = parent;
    }
    return true;
  });
}

/** `app.get("/", async (req, res) => …)` in a file that uses the contexts of Express or Fastify. */
function isRequestOfRoute(variable: Variable, fn: TSESTree.Node, context: RuleContext): boolean {
  if (variable.name !== "req" && variable.name !== "request") return false;
  const { parent } = fn;
  if (parent?.type !== "CallExpression" || parent.callee.type !== "MemberExpression") return false;
  const [route] = parent.arguments;
  return (
    route?.type === "Literal" &&
    typeof route.value === "string" &&
    route.value.startsWith("/") &&
    importsFrom(context, (module) => /^eightysix\/(?:express|fastify)$/.test(module))
  );
}

/** Whether a variable is a parameter, or derived from one. */
export function isGiven(variable: Variable, context: RuleContext, left = LONGEST_CHAIN): boolean {
  const [definition] = variable.defs;
  if (definition?.type === "Parameter") return true;
  const init = definition?.node.type === "VariableDeclarator" ? definition.node.init : null;
  return init !== null && left > 0 && comesFromOutside(init, context, left - 1);
}

function comesFromOutside(node: TSESTree.Node, context: RuleContext, left: number): boolean {
  switch (node.type) {
    case "Identifier": {
      const variable = variableOf(node, context.sourceCode);
      return variable !== undefined && isGiven(variable, context, left);
    }
    case "MemberExpression":
      return comesFromOutside(node.object, context, left);
    case "LogicalExpression":
      return (
        comesFromOutside(node.left, context, left) || comesFromOutside(node.right, context, left)
      );
    case "AwaitExpression":
      return comesFromOutside(node.argument, context, left);
    case "ChainExpression":
    case "TSAsExpression":
    case "TSNonNullExpression":
      return comesFromOutside(node.expression, context, left);
    case "CallExpression": {
      const api = calledApi(node, context);
      if (api === "requestContext") return true;
      return node.arguments.some(
        (argument) =>
          (isContext(argument, context) || isSignalOf(argument)) &&
          comesFromOutside(argument, context, left),
      );
    }
    default:
      return false;
  }
}

/** `ctx.signal`, `options.signal` */
function isSignalOf(node: TSESTree.Node): boolean {
  if (node.type === "Identifier") return node.name === "signal";
  return node.type === "MemberExpression" && propertyName(node) === "signal";
}
