import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import { contextAtHand, type AtHand } from "../at-hand.ts";
import { createRule, type RuleContext } from "../create-rule.ts";
import { importedName } from "../edits.ts";
import { isGlobal, propertyName, variableNamed } from "../references.ts";
import { ancestorsOf, functionAround, isFunction } from "../source-tree.ts";

type Messages = "any" | "derive" | "timeout";

/** Refuses `AbortSignal.any` and `AbortSignal.timeout` where a context is at hand. */
export const noAbortSignalAny = createRule<Messages>({
  name: "no-abort-signal-any",
  meta: {
    type: "suggestion",
    docs: {
      description:
        "Refuses `AbortSignal.any` and `AbortSignal.timeout` where a context could be derived instead.",
      configs: ["recommended"],
    },
    hasSuggestions: true,
    messages: {
      any: "A signal of `AbortSignal.any` has no deadline, and can stay in memory with its sources. Derive a context: `withSignal({{ctx}}, …)`, and pass its `signal`.",
      timeout:
        "`AbortSignal.timeout` does not end with `{{ctx}}`, and its limit is no deadline that other code can read. Derive a context: `withTimeout({{ctx}}, ms)`, and pass its `signal`.",
      derive: "Derive a context with `{{fn}}`.",
    },
    schema: [],
  },
  create(context) {
    return {
      CallExpression(node) {
        const method = methodOf(node, context);
        if (method === undefined || isWithinAny(node, context)) return;
        const ctx = contextAtHand(node, context);
        if (ctx === undefined) return;
        const derived = derivation(node, method, ctx, context);
        const data = { ctx: ctx.text };
        const suggest = derived && suggestion(node, derived, ctx, context);
        context.report({ node, messageId: method, data, ...(suggest && { suggest: [suggest] }) });
      },
    };
  },
});

/** Returns "any" for `AbortSignal.any(…)`, and "timeout" for `AbortSignal.timeout(…)`. */
function methodOf(
  { callee }: TSESTree.CallExpression,
  context: RuleContext,
): "any" | "timeout" | undefined {
  if (callee.type !== "MemberExpression") return undefined;
  const name = propertyName(callee);
  if (name !== "any" && name !== "timeout") return undefined;
  return isGlobal(callee.object, "AbortSignal", context) ? name : undefined;
}

/** One report is enough for `AbortSignal.any([ctx.signal, AbortSignal.timeout(ms)])`. */
function isWithinAny({ parent }: TSESTree.Node, context: RuleContext): boolean {
  const call = parent?.parent;
  return (
    parent?.type === "ArrayExpression" &&
    call?.type === "CallExpression" &&
    methodOf(call, context) === "any"
  );
}

/** The function that derives the context, and its arguments behind the parent. */
interface Derivation {
  fn: "withCancel" | "withSignal" | "withTimeout";
  args: readonly TSESTree.Node[];
}

function derivation(
  node: TSESTree.CallExpression,
  method: "any" | "timeout",
  { text }: AtHand,
  context: RuleContext,
): Derivation | undefined {
  if (method === "timeout") return { fn: "withTimeout", args: node.arguments };
  const [sources] = node.arguments;
  if (sources?.type !== "ArrayExpression") return undefined;
  const others: TSESTree.Node[] = [];
  for (const element of sources.elements) {
    if (element === null || element.type === "SpreadElement") return undefined;
    if (context.sourceCode.getText(element) !== `${text}.signal`) others.push(element);
  }
  const limits = others.filter(
    (one): one is TSESTree.CallExpression =>
      one.type === "CallExpression" && methodOf(one, context) === "timeout",
  );
  if (limits.length === 0) return { fn: "withSignal", args: others };
  // A limit and other signals take two contexts.
  const [limit] = limits;
  return limit !== undefined && others.length === 1
    ? { fn: "withTimeout", args: limit.arguments }
    : undefined;
}

/**
 * Puts `using limit = withTimeout(ctx, ms);` in front of a statement that awaits the call in which the
 * signal is. In other places the author must say how long the context lives.
 */
function suggestion(
  node: TSESTree.CallExpression,
  { fn, args }: Derivation,
  { text }: AtHand,
  context: RuleContext<Messages>,
): TSESLint.ReportSuggestionArray<Messages>[number] | undefined {
  const { sourceCode } = context;
  const around = ancestorsOf(node);
  const statement = around.find(({ parent }) => parent?.type === "BlockStatement");
  if (statement === undefined || !functionAround(node)?.async) return undefined;
  const within = around.slice(0, around.indexOf(statement) + 1);
  if (within.some((at) => isFunction(at) || /^(?:Do|For|If|Try|While)/.test(at.type)))
    return undefined;
  if (!within.some(({ type }) => type === "AwaitExpression")) return undefined;
  const base = fn === "withTimeout" ? "limited" : "either";
  const name = freeName(base, node, sourceCode);
  const imported = importedName("eightysix", fn, context);
  const list = [text, ...args.map((one) => sourceCode.getText(one))].join(", ");
  return {
    messageId: "derive",
    data: { fn },
    fix: (fixer) => [
      ...imported.add(fixer),
      fixer.insertTextBefore(statement, `using ${name} = ${imported.text}(${list});\n`),
      fixer.replaceText(node, `${name}.signal`),
    ],
  };
}

function freeName(
  base: string,
  node: TSESTree.Node,
  sourceCode: Readonly<TSESLint.SourceCode>,
): string {
  const isTaken = (name: string): boolean => variableNamed(name, node, sourceCode) !== undefined;
  let name = base;
  for (let i = 2; isTaken(name); i++) name = `${base}${i}`;
  return name;
}
