/** Which contexts and signals the code at some place could use. */
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import { holdsContext } from "./contexts.ts";
import type { RuleContext } from "./create-rule.ts";
import { typesOf } from "./types.ts";

/** A context or a signal that code can use. */
export interface AtHand {
  /** The expression that gives it, such as `ctx`, `req.ctx` or `controller.signal`. */
  text: string;
  variable: TSESLint.Scope.Variable;
  /** Whether it is the only one in the nearest scope that has one. */
  isOnly: boolean;
}

/**
 * Returns the context that the code at `node` should use: that of the nearest scope, and there the last
 * one that was declared. Variables of the module do not count, because they outlive every request.
 */
export function contextAtHand(node: TSESTree.Node, context: RuleContext): AtHand | undefined {
  return nearest(node, context, (variable) => contextText(variable, context));
}

/** Returns the signal that the code at `node` should use: a signal itself, or that of a controller. */
export function signalAtHand(node: TSESTree.Node, context: RuleContext): AtHand | undefined {
  return nearest(node, context, (variable) => signalText(variable, context));
}

function nearest(
  node: TSESTree.Node,
  context: RuleContext,
  textOf: (variable: TSESLint.Scope.Variable) => string | undefined,
): AtHand | undefined {
  let scope: TSESLint.Scope.Scope | null = context.sourceCode.getScope(node);
  for (
    ;
    scope !== null && scope.type !== "module" && scope.type !== "global";
    scope = scope.upper
  ) {
    const found = scope.variables.flatMap((variable) => {
      const text = isDeclaredBefore(variable, node) ? textOf(variable) : undefined;
      return text === undefined ? [] : [{ text, variable }];
    });
    const last = found.at(-1);
    if (last !== undefined) return { ...last, isOnly: found.length === 1 };
  }
  return undefined;
}

/** Whether the declaration has ended where `node` begins. A parameter always has. */
function isDeclaredBefore(variable: TSESLint.Scope.Variable, node: TSESTree.Node): boolean {
  const [definition] = variable.defs;
  if (definition === undefined) return false;
  if (definition.type === "Parameter") return true;
  return definition.node.range[1] <= node.range[0];
}

function contextText(variable: TSESLint.Scope.Variable, context: RuleContext): string | undefined {
  if (holdsContext(variable, context)) return variable.name;
  const types = typesOf(context.sourceCode);
  const [name] = variable.identifiers;
  if (types === undefined || name === undefined) return undefined;
  // req.ctx, request.ctx, g.ctx; c.var.ctx of Hono.
  const type = types.typeAt(name);
  for (const path of [["ctx"], ["var", "ctx"]]) {
    let found: typeof type | undefined = type;
    for (const part of path) {
      const property: ReturnType<typeof type.getProperty> = found?.getProperty(part);
      found = property && types.checker.getTypeOfSymbolAtLocation(property, types.nodeOf(name));
    }
    if (found !== undefined && types.isContextType(found))
      return [variable.name, ...path].join(".");
  }
  return undefined;
}

function signalText(variable: TSESLint.Scope.Variable, context: RuleContext): string | undefined {
  const types = typesOf(context.sourceCode);
  const [definition] = variable.defs;
  const [name] = variable.identifiers;
  if (definition === undefined || name === undefined) return undefined;
  if (types?.isSignal(name) ?? (variable.name === "signal" && definition.type === "Parameter"))
    return variable.name;
  const init = definition.node.type === "VariableDeclarator" ? definition.node.init : null;
  const isController =
    init?.type === "NewExpression" &&
    init.callee.type === "Identifier" &&
    init.callee.name === "AbortController";
  return isController ? `${variable.name}.signal` : undefined;
}
