/** Where a variable that holds a context is used in a way that matters: it is ended, handed over, or tested. */
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import type { RuleContext } from "../../create-rule.ts";
import { fateOf, type FateKind } from "./fate.ts";
import { calledApi } from "../../references.ts";

type Variable = TSESLint.Scope.Variable;
type Reference = TSESLint.Scope.Reference;

export interface Uses {
  /** The places that cancel the context or hand it over. */
  ends: TSESTree.Node[];
  /** The statements that run only if the context has ended: the body of `if (ctx.err())`. */
  dones: TSESTree.Node[];
  /** Whether something may use it when the block has ended, so `using` may be wrong. */
  isHandedOver: boolean;
  /** Whether a condition asks whether the variable is set, or whether its context has ended. */
  isTested: boolean;
}

/** Returns the uses of a variable that matter, or `undefined` if a function may end it at any time. */
export function usesOf(
  variable: Variable,
  by: TSESTree.Node,
  context: RuleContext,
): Uses | undefined {
  const ends: TSESTree.Node[] = [];
  const dones: TSESTree.Node[] = [];
  let isHandedOver = false;
  let isTested = false;
  for (const reference of variable.references) {
    const closure = closureAround(reference, variable);
    if (!reference.isRead()) {
      if (closure !== undefined) return undefined;
      continue;
    }
    const { identifier } = reference;
    const { kind } = fateOf(identifier, context);
    // A function that is not passed to a call may run when the block has ended.
    if (closure !== undefined && closure.parent?.type !== "CallExpression") isHandedOver = true;
    if (isLoopUntilDone(identifier, kind, context)) ends.push(closure ?? identifier);
    else if (kind === "tested") {
      isTested = true;
      const done = closure === undefined ? bodyIfDone(identifier) : undefined;
      if (done !== undefined) dones.push(done);
    }
    if (kind === "used" || kind === "tested") continue;
    if (kind !== "ended" || closure !== undefined) isHandedOver = true;
    // A function that is made earlier, or hoisted, may run at any time.
    if (closure?.type === "FunctionDeclaration") return undefined;
    if (closure !== undefined && closure.range[0] < by.range[0]) return undefined;
    const end = closure ?? identifier;
    ends.push(
      kind === "ended" && closure === undefined ? outermostChain(end) : whereItCounts(end, by),
    );
  }
  return { ends, dones, isHandedOver, isTested };
}

/** Returns the chain around an end. In `ctx?.cancel()` it counts also if there is no context. */
function outermostChain(end: TSESTree.Node): TSESTree.Node {
  let found = end;
  for (let node = end; node.parent && !/Statement$|Function|Declarat/.test(node.parent.type);) {
    node = node.parent;
    if (node.type === "ChainExpression") found = node;
  }
  return found;
}

/**
 * Returns the place from which a hand-over counts: the loop around it that does not make the context. In
 * `for (const signal of signals) …` it counts also if there are no signals.
 */
function whereItCounts(end: TSESTree.Node, by: TSESTree.Node): TSESTree.Node {
  let found = outermostChain(end);
  for (let node = found.parent; node; node = node.parent) {
    if (node.range[0] < by.range[0] || /Function/.test(node.type)) break;
    if (/^(?:For|While|DoWhile)/.test(node.type)) found = node;
  }
  return found;
}

/** Returns the outermost function, class field or static block between a reference and its variable. */
function closureAround(reference: Reference, variable: Variable): TSESTree.Node | undefined {
  let scope: TSESLint.Scope.Scope = reference.from.variableScope;
  let found: TSESTree.Node | undefined;
  while (scope !== variable.scope.variableScope) {
    found = scope.block;
    if (scope.upper === null) break;
    scope = scope.upper.variableScope;
  }
  return found;
}

/** Whether a loop runs until the context has ended: `while (!ctx.err())`, `for await (… of interval(ctx, 5))`. */
function isLoopUntilDone(identifier: TSESTree.Node, kind: FateKind, context: RuleContext): boolean {
  const { parent } = identifier;
  if (parent?.type === "CallExpression" && parent.parent.type === "ForOfStatement")
    return parent.parent.right === parent && calledApi(parent, context) === "interval";
  if (kind !== "tested") return false;
  for (let node = identifier; node.parent; node = node.parent) {
    if (/^(?:While|DoWhile|For)Statement$/.test(node.parent.type))
      return "test" in node.parent && node.parent.test === node;
    if (/Statement$|Function/.test(node.parent.type)) return false;
  }
  return false;
}

/** Returns what an `if` runs if the context has ended: `if (ctx.err()) return;` */
function bodyIfDone(identifier: TSESTree.Node): TSESTree.Node | undefined {
  const member = identifier.parent;
  if (member?.type !== "MemberExpression") return undefined; // `if (ctx)`
  let test: TSESTree.Node | undefined = member.parent; // ctx.err() or ctx.signal.aborted
  if (test.parent?.type === "BinaryExpression") {
    if (!test.parent.operator.startsWith("!")) return undefined;
    test = test.parent; // ctx.err() !== undefined
  }
  const { parent } = test;
  return parent?.type === "IfStatement" && parent.test === test ? parent.consequent : undefined;
}
