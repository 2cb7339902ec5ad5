import type { TSESTree } from "@typescript-eslint/utils";
import { createRule, type RuleContext } from "../create-rule.ts";
import { dropByCallee, dropOf, type Drop } from "./no-floating-work/dropped.ts";
import { importOf } from "../imports.ts";
import { variableNamed } from "../references.ts";
import { functionAround, isFunction } from "../source-tree.ts";
import { nodesIn, withoutCasts } from "../walk.ts";
import {
  closedOverContext,
  contextOfCall,
  functionNamed,
  isAsync,
  isOfCaller,
  startsWork,
} from "../work.ts";

/** The budget in the suggestion. The user sets the right one. */
const BUDGET = "10_000";

const HOW =
  "Await it, return it, start it with `g.go` in a group, or give it to `detach(ctx, budgetMs, fn)`.";

/** Refuses work for a context that nothing waits for. */
export const noFloatingWork = createRule({
  name: "no-floating-work",
  meta: {
    type: "problem",
    docs: {
      description: "Refuses work for a context that nothing waits for.",
      configs: ["recommended"],
    },
    messages: {
      value: `Nothing waits for this work. When the request of its context ends, it is cut off, and nothing sees its failure. ${HOW}`,
      variable: `Nothing reads \`{{name}}\`, so nothing waits for the work of this promise. ${HOW}`,
      callback:
        "`{{name}}` drops the promise of its callback, so nothing waits for this work. Use a loop with `await`, `await all(ctx, …)`, or `detach(ctx, budgetMs, fn)`.",
      await: "Await it.",
      detach:
        "Give it to `detach`, with a budget in milliseconds. Then it outlives the request, and a shutdown waits for it.",
    },
    hasSuggestions: true,
    schema: [],
  },
  create(context) {
    const reported = new Set<TSESTree.Node>();

    function report(drop: Drop, ctx: TSESTree.Node): void {
      const { expression: node, by, name = "" } = drop;
      if (reported.has(node)) return;
      reported.add(node);
      const suggest = by === "value" ? suggestions(node, ctx, context) : [];
      context.report({ node, messageId: by, data: { name }, suggest });
    }

    return {
      CallExpression(node) {
        const [first] = node.arguments;
        if (first && isFunction(first) && isAsync(first)) {
          const drop = dropByCallee(node, context.sourceCode);
          const ctx = drop && closedOverContext(first, context);
          if (drop && ctx) report(drop, ctx);
        }
        const drop = dropOf(node, context.sourceCode);
        if (drop === undefined) return;
        const ctx = contextOfWork(node, context);
        if (ctx !== undefined) report(drop, ctx);
      },
    };
  },
});

/** Returns the context of the caller for which a call starts work. */
function contextOfWork(
  call: TSESTree.CallExpression,
  context: RuleContext,
): TSESTree.Node | undefined {
  const ctx = contextOfCall(call, context);
  if (ctx !== undefined)
    return isOfCaller(ctx, context) && startsWork(call, context) ? ctx : undefined;
  const callee = withoutCasts(call.callee);
  const fn = isFunction(callee) ? callee : functionNamed(callee, context);
  return fn && isAsync(fn) ? closedOverContext(fn, context) : undefined;
}

type Suggestions = { messageId: "await" | "detach"; fix: Fix }[];
type Fix = NonNullable<Parameters<RuleContext<never>["report"]>[0]["fix"]>;

function suggestions(node: TSESTree.Node, ctx: TSESTree.Node, context: RuleContext): Suggestions {
  const { sourceCode } = context;
  const { parent } = node;
  // `a, b` and an element of it would need parentheses, which no one writes.
  if (parent === undefined || parent.type === "SequenceExpression") return [];
  if (node.type === "SequenceExpression") return [];
  const whole = parent.type === "UnaryExpression" ? parent : node;
  const text = sourceCode.getText(node);
  const found: Suggestions = [];

  if (functionAround(node)?.async === true) {
    const isSimple = node.type === "CallExpression" || node.type === "ChainExpression";
    const awaited = isSimple ? `await ${text}` : `await (${text})`;
    found.push({ messageId: "await", fix: (fixer) => fixer.replaceText(whole, awaited) });
  }

  const detach = importOf("detach", node, context);
  if (detach === undefined || pauses(node, context)) return found;
  const task = taskOf(node, ctx, context);
  if (task === undefined) return found;
  const call = `${detach.text}(${sourceCode.getText(ctx)}, ${BUDGET}, ${task})`;
  found.push({
    messageId: "detach",
    fix: (fixer) => [...detach.add(fixer), fixer.replaceText(whole, call)],
  });
  return found;
}

/**
 * Returns the function that does the same work for a context of its own: `(ctx) => work(ctx)` of
 * `work(ctx)` and of `work(req.ctx)`. Returns `undefined` if that name means something else there.
 */
function taskOf(node: TSESTree.Node, ctx: TSESTree.Node, context: RuleContext): string | undefined {
  const { sourceCode } = context;
  const text = sourceCode.getText(node);
  if (ctx.type === "Identifier") return `(${ctx.name}) => ${text}`;
  if (ctx.type !== "MemberExpression" || variableNamed("ctx", node, sourceCode) !== undefined)
    return undefined;
  const path = sourceCode.getText(ctx);
  const places = [...nodesIn(node, sourceCode)]
    .filter((one) => one.type === "MemberExpression" && sourceCode.getText(one) === path)
    .sort((a, b) => b.range[0] - a.range[0]);
  let own = text;
  for (const { range } of places) {
    const [from, to] = [range[0] - node.range[0], range[1] - node.range[0]];
    own = `${own.slice(0, from)}ctx${own.slice(to)}`;
  }
  return `(ctx) => ${own}`;
}

/** Whether an expression has an `await` or a `yield` of the function around it. */
function pauses(node: TSESTree.Node, { sourceCode }: RuleContext): boolean {
  const around = functionAround(node);
  for (const one of nodesIn(node, sourceCode)) {
    if (one.type !== "AwaitExpression" && one.type !== "YieldExpression") continue;
    if (functionAround(one) === around) return true;
  }
  return false;
}
