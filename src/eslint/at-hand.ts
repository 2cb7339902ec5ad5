/** Which contexts and signals the code at some place could use. */
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import { contextText, isGiven } from "./at-hand/context-text.ts";
import { isGuessedSignal, signalText } from "./at-hand/signal-text.ts";
import type { RuleContext } from "./create-rule.ts";
import { isTask, runsWithin } from "./runs-within.ts";
import { contains, isFunction } from "./source-tree.ts";

/** A context or a signal that code can use. */
export interface AtHand {
  /** The expression that gives it, such as `ctx`, `req.ctx` or `controller.signal`. */
  text: string;
  variable: TSESLint.Scope.Variable;
  /**
   * Whether it is the only one in the nearest scope that has one. A task of `all` or `race` that does
   * not take its own context could use that one, so the context of the function around is not the only
   * one.
   */
  isOnly: boolean;
  /**
   * Whether it comes from outside of the function: it is a parameter, a part of one, or derived from
   * one. A context that the function made of `background()` is not given, nor is its own controller.
   */
  isGiven: boolean;
  /** Whether only its name says that it is a signal, so it may be something else. */
  isGuess: boolean;
}

type Texts = WeakMap<TSESLint.Scope.Variable, string | null>;
const contextTexts: Texts = new WeakMap();
const signalTexts: Texts = new WeakMap();

/** Asks once for each variable, because many calls ask. */
function once(
  texts: Texts,
  variable: TSESLint.Scope.Variable,
  context: RuleContext,
  textOf: (variable: TSESLint.Scope.Variable, context: RuleContext) => string | undefined,
): string | undefined {
  let text = texts.get(variable);
  if (text === undefined) texts.set(variable, (text = textOf(variable, context) ?? null));
  return text ?? undefined;
}

type TextOf = (variable: TSESLint.Scope.Variable) => string | undefined;
type Accept = (candidate: Omit<AtHand, "isGuess" | "isOnly">) => boolean;

/**
 * Returns the context that the code at `node` should use: that of the nearest scope. There, a context
 * that was given to the function comes before one that the function made, and a later one before an
 * earlier one. `accept` refuses those that the rule has no use for.
 *
 * These do not count: variables of the module, because they outlive every request; optional ones; and
 * those of a function around, if the function in between may run later (see `runsWithin`).
 */
export function contextAtHand(
  node: TSESTree.Node,
  context: RuleContext,
  accept?: Accept,
): AtHand | undefined {
  return nearest(
    node,
    context,
    (variable) => once(contextTexts, variable, context, contextText),
    accept,
  );
}

/** Returns the signal that the code at `node` should use: a signal itself, or that of a controller. */
export function signalAtHand(
  node: TSESTree.Node,
  context: RuleContext,
  accept?: Accept,
): AtHand | undefined {
  return nearest(
    node,
    context,
    (variable) => once(signalTexts, variable, context, signalText),
    accept,
  );
}

/** Returns the nearest signal, where that of a context counts, too: `ctx.signal`. */
export function anySignalAtHand(
  node: TSESTree.Node,
  context: RuleContext,
  accept?: Accept,
): AtHand | undefined {
  const textOf: TextOf = (variable) => {
    const text = once(contextTexts, variable, context, contextText);
    return text === undefined ? once(signalTexts, variable, context, signalText) : `${text}.signal`;
  };
  return nearest(node, context, textOf, accept);
}

function nearest(
  node: TSESTree.Node,
  context: RuleContext,
  textOf: TextOf,
  accept: Accept = () => true,
): AtHand | undefined {
  const shadowed = new Set<string>();
  let isInTask = false;
  let scope: TSESLint.Scope.Scope | null = context.sourceCode.getScope(node);
  while (scope !== null && !isTop(scope)) {
    const found = scope.variables.flatMap((variable) => {
      if (shadowed.has(variable.name) || !isReadable(variable, node)) return [];
      const text = textOf(variable);
      if (text === undefined) return [];
      const candidate = { text, variable, isGiven: isGiven(variable, context) };
      return accept(candidate) ? [candidate] : [];
    });
    const last = found.findLast(({ isGiven }) => isGiven) ?? found.at(-1);
    if (last !== undefined) {
      const isOnly = found.length === 1 && !isInTask;
      const isGuess =
        once(contextTexts, last.variable, context, contextText) === undefined &&
        isGuessedSignal(last.variable, context);
      return { ...last, isOnly, isGuess };
    }
    if (isBarrier(scope, context)) return undefined;
    isInTask ||= isFunction(scope.block) && isTask(scope.block, context);
    for (const name of scope.set.keys()) shadowed.add(name);
    scope = scope.upper;
  }
  return undefined;
}

/** Whether a scope is that of the module. A CommonJS module has the scope of a function. */
function isTop(scope: TSESLint.Scope.Scope): boolean {
  return scope.type === "module" || scope.block.type === "Program";
}

/** Whether code in the scope may run when the function around it has ended. */
function isBarrier({ type, block }: TSESLint.Scope.Scope, context: RuleContext): boolean {
  if (type === "class-field-initializer" || type === "class-static-block") return true;
  return type === "function" && isFunction(block) && !runsWithin(block, context);
}

/** Whether the variable has its value where `node` begins. */
function isReadable(variable: TSESLint.Scope.Variable, node: TSESTree.Node): boolean {
  const [definition] = variable.defs;
  if (definition === undefined) return false;
  if (definition.type === "Parameter") {
    // A default may use the parameters before it.
    const parameter = definition.node.params.find((one) => contains(one, definition.name));
    return (parameter ?? definition.name).range[1] <= node.range[0];
  }
  if (definition.type !== "Variable" || definition.node.range[1] > node.range[0]) return false;
  const declaration = definition.node.parent;
  if (definition.node.init === null) return declaration.parent.type.startsWith("ForOf");
  // Another case of the same switch may not have run.
  return declaration.parent.type !== "SwitchCase" || contains(declaration.parent, node);
}
