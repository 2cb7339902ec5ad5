/** The variables of a file that get a cancelable context, and the places that matter for each. */
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import { createsCancelable } from "./cancelable-calls.ts";
import type { RuleContext } from "../../create-rule.ts";
import { fateOf } from "./fate.ts";
import { usesOf, type Uses } from "./uses.ts";

type Variable = TSESLint.Scope.Variable;
type Reference = TSESLint.Scope.Reference;

/** A place where a variable gets a context that the rule checks. */
export interface Binding extends Omit<Uses, "isTested"> {
  variable: Variable;
  /** The name, where it gets the context. */
  name: TSESTree.Identifier;
  by: TSESTree.VariableDeclarator | TSESTree.AssignmentExpression;
  /** The function that binds it, or the module. */
  fn: TSESTree.Node;
  /** Whether it is in a block of the module, which has no end that matters. */
  isOfModule: boolean;
}

/** What the rule notes on the path through a function. */
export type Mark =
  /** The variable gets the context. */
  | { kind: "bind"; binding: Binding }
  /** The context is canceled or handed over. */
  | { kind: "end"; binding: Binding }
  /** The variable gets something else. */
  | { kind: "write"; binding: Binding }
  /** A call that does not return. */
  | { kind: "stop" }
  /** A `break` or `continue` out of a `try` with these `finally` blocks. */
  | { kind: "jump"; finalizers: readonly TSESTree.Node[] };

/** Returns the bindings of a file, and the nodes where their marks belong. */
export function bindingsOf(context: RuleContext): {
  bindings: Binding[];
  marks: Map<TSESTree.Node, Mark[]>;
} {
  const bindings: Binding[] = [];
  const marks = new Map<TSESTree.Node, Mark[]>();
  const add = (node: TSESTree.Node, mark: Mark): void => {
    const there = marks.get(node);
    if (there === undefined) marks.set(node, [mark]);
    else there.push(mark);
  };
  for (const scope of context.sourceCode.scopeManager?.scopes ?? [])
    for (const variable of scope.variables)
      for (const reference of variable.references) {
        const binding = bindingOf(variable, reference, context);
        if (binding === undefined) continue;
        bindings.push(binding);
        add(binding.by, { kind: "bind", binding });
        for (const end of [...binding.ends, ...binding.dones]) add(end, { kind: "end", binding });
        for (const { identifier, init } of variable.references.filter((one) => one.isWrite())) {
          const { parent } = identifier;
          if (init !== true && parent.type === "AssignmentExpression" && parent !== binding.by)
            add(parent, { kind: "write", binding });
        }
      }
  return { bindings, marks };
}

function bindingOf(
  variable: Variable,
  reference: Reference,
  context: RuleContext,
): Binding | undefined {
  const by = reference.identifier.parent;
  const call = contextCall(reference, by);
  if (
    call === undefined ||
    (by.type !== "VariableDeclarator" && by.type !== "AssignmentExpression")
  )
    return undefined;
  const { variableScope } = variable.scope;
  // A variable of the module lives as long as the process. An outer variable has another owner.
  if (isModuleScope(variable.scope) || reference.from.variableScope !== variableScope)
    return undefined;
  if (isMain(variableScope)) return undefined;
  const fate = fateOf(call, context);
  if (fate.kind !== "bound" || fate.by !== by || !createsCancelable(call, context))
    return undefined;

  const uses = usesOf(variable, by, context);
  if (uses === undefined) return undefined;
  // If the context is made under a condition, it may be canceled under the same one.
  const isConditional = uses.isTested || isUnderCondition(call, by, variable);
  if (isConditional && uses.ends.length > 0) return undefined;
  return {
    variable,
    name: reference.identifier as TSESTree.Identifier,
    by,
    fn: variableScope.block,
    isOfModule: isModuleScope(variableScope),
    ends: uses.ends,
    dones: uses.dones,
    isHandedOver: uses.isHandedOver,
  };
}

/** Returns the call whose result a write puts into the variable, through `as`, `??`, `await` and the like. */
function contextCall(reference: Reference, by: TSESTree.Node): TSESTree.CallExpression | undefined {
  if (!reference.isWrite() || !reference.writeExpr) return undefined;
  if (
    by.type === "VariableDeclarator" &&
    (by.parent.kind === "using" || by.parent.kind === "await using")
  )
    return undefined;
  let value: TSESTree.Node = reference.writeExpr;
  for (;;) {
    if (value.type === "CallExpression") return value;
    if (value.type === "ConditionalExpression")
      value = value.consequent.type === "CallExpression" ? value.consequent : value.alternate;
    else if (value.type === "LogicalExpression") value = value.right;
    else if (value.type === "AwaitExpression") value = value.argument;
    else if (
      value.type === "TSAsExpression" ||
      value.type === "TSSatisfiesExpression" ||
      value.type === "TSNonNullExpression" ||
      value.type === "TSTypeAssertion"
    )
      value = value.expression;
    else return undefined;
  }
}

/** Whether a context is made under a condition that the variable outlives. */
function isUnderCondition(
  call: TSESTree.Node,
  by: TSESTree.VariableDeclarator | TSESTree.AssignmentExpression,
  variable: Variable,
): boolean {
  for (let node = call; node.parent && node !== by; node = node.parent)
    if (/^(?:Conditional|Logical)Expression$/.test(node.parent.type)) return true;
  if (by.type === "VariableDeclarator") return false;
  if (by.operator !== "=") return true;
  const home = variable.scope.block;
  for (let node: TSESTree.Node = by; node.parent && node.parent !== home; node = node.parent)
    if (/^(?:If|Switch|Try)Statement$|^CatchClause$/.test(node.parent.type)) return true;
  return false;
}

function isModuleScope({ type, block }: TSESLint.Scope.Scope): boolean {
  return type === "module" || type === "global" || block.type === "Program";
}

/** Whether it is the scope of the function `main` of the module. When it returns, the process ends. */
function isMain({ block }: TSESLint.Scope.Scope): boolean {
  return (
    block.type === "FunctionDeclaration" &&
    block.id?.name === "main" &&
    block.parent.type === "Program"
  );
}
