import type { TSESTree } from "@typescript-eslint/utils";
import { asksForEnd, olderThan } from "./no-swallowed-cancellation/cancellation.ts";
import { isContext } from "../contexts.ts";
import { createRule, type RuleContext } from "../create-rule.ts";
import { handsOn } from "../hand-on.ts";
import { propertyName, variableOf } from "../references.ts";
import { trackPaths, type Path, type Segment } from "../flow/segments.ts";
import { SwallowingTry } from "./no-swallowed-cancellation/swallowing-try.ts";
import { functionAround, isFunction } from "../source-tree.ts";
import { typesOf } from "../types.ts";
import { nodesIn, withoutCasts } from "../walk.ts";
import { contextOfCall } from "../work.ts";

type Messages = "again" | "swallowed" | "dropped" | "rethrow";
type Options = [{ everywhere?: boolean }?];

/** Refuses a `catch` that hides the end of a context or a signal, and goes on. */
export const noSwallowedCancellation = createRule<Messages, Options>({
  name: "no-swallowed-cancellation",
  meta: {
    type: "problem",
    docs: {
      description: "Refuses a loop that tries again after its context or its signal has ended.",
      configs: ["recommended", "signals"],
      strict: { everywhere: true },
    },
    messages: {
      again:
        "If `{{name}}` has ended, this loop does not stop: the `catch` swallows the error, and the loop tries again. Begin the `catch` with `{{check}}`.",
      swallowed:
        "If `{{name}}` has ended, the function goes on as if nothing had happened. Begin the `catch` with `{{check}}`.",
      dropped:
        "If the context has ended, this callback hides it, and the caller goes on as if nothing had happened. Rethrow the error if `isContextError(error)`.",
      rethrow: "Begin the `catch` with `{{check}}`.",
    },
    hasSuggestions: true,
    schema: [
      {
        type: "object",
        properties: { everywhere: { type: "boolean" } },
        additionalProperties: false,
      },
    ],
    defaultOptions: [{ everywhere: false }],
  },
  create(context) {
    const { sourceCode } = context;
    const [{ everywhere = false } = {}] = context.options;
    if (!sourceCode.text.includes("catch")) return {};

    const catches = new Map<Path<TSESTree.Node>, [TSESTree.CatchClause, Segment[]][]>();
    const paths = trackPaths<TSESTree.Node>((ended) => {
      for (const [clause, start] of catches.get(ended) ?? [])
        check(new SwallowingTry(clause, start, ended, context), everywhere, context);
    });
    const mark = (node: TSESTree.Node): void => paths.path()?.mark(node);

    return {
      ...paths.listeners,
      CatchClause(node) {
        const at = paths.path();
        if (at === undefined) return;
        const all = catches.get(at);
        if (all === undefined) catches.set(at, [[node, [...at.current]]]);
        else all.push([node, [...at.current]]);
      },
      Identifier: mark,
      Literal: mark,
      BinaryExpression: mark,
      MemberExpression: mark,
      BreakStatement: mark,
      ContinueStatement: mark,
      ReturnStatement: mark,
      ForOfStatement: mark,
      "CallExpression:exit": mark,
      "ChainExpression:exit": mark,
      "AwaitExpression:exit": mark,
      CallExpression(node) {
        if (everywhere && isHidingCatch(node, context))
          context.report({ node: node.arguments[0] as TSESTree.Node, messageId: "dropped" });
      },
    };
  },
});

function check(
  one: SwallowingTry,
  everywhere: boolean,
  context: RuleContext<Messages, Options>,
): void {
  const again = one.triesAgain();
  const found = again ?? (everywhere ? one.goesOn() : undefined);
  if (found === undefined) return;
  const { sourceCode } = context;
  const name = sourceCode.getText(found);
  const { clause } = one;
  const error = clause.param?.type === "Identifier" ? clause.param.name : undefined;
  const isOfContext = isContext(found, context);
  const dot = isMaybeNothing(found, context) ? "?." : ".";
  const test = isOfContext ? `${name}${dot}err() !== undefined` : `${name}${dot}aborted`;
  const reason = error ?? (isOfContext ? `${name}.err()` : `${name}.reason`);
  const text = `if (${test}) throw ${reason};`;
  const keyword = sourceCode.getFirstToken(clause);
  const brace = sourceCode.getFirstToken(clause.body);
  context.report({
    node: clause,
    ...(keyword === null ? {} : { loc: keyword.loc }),
    messageId: again === undefined ? "swallowed" : "again",
    data: { name, check: text },
    suggest:
      brace === null
        ? []
        : [
            {
              messageId: "rethrow",
              data: { check: text },
              fix: (fixer) => fixer.insertTextAfter(brace, ` ${text}`),
            },
          ],
  });
}

/** Whether a context or a signal may be missing: by its type, or because it is an option. */
function isMaybeNothing(node: TSESTree.Node, context: RuleContext<Messages, Options>): boolean {
  const known = typesOf(context.sourceCode)?.isOptional(node);
  if (known !== undefined) return known;
  if (node.type !== "Identifier") return false;
  const definition = variableOf(node, context.sourceCode)?.defs[0];
  if (definition?.type !== "Parameter" || definition.name.type !== "Identifier") return false;
  return definition.name.optional || definition.name.parent.type === "Property";
}

/** Whether a call is `work(ctx).catch(() => …)`, whose callback neither throws nor looks at the error. */
function isHidingCatch(
  call: TSESTree.CallExpression,
  context: RuleContext<Messages, Options>,
): boolean {
  const { sourceCode } = context;
  const { callee } = call;
  const [callback] = call.arguments;
  if (callee.type !== "MemberExpression" || propertyName(callee) !== "catch") return false;
  if (!callback || !isFunction(callback) || handsOn(call, sourceCode)) return false;
  // The main program has no caller who would learn of the end.
  if (functionAround(call) === undefined || !getsContext(callee.object, context)) return false;
  for (const node of nodesIn(callback.body, sourceCode))
    if (node.type === "ThrowStatement" || asksForEnd(node, context) !== undefined) return false;
  return true;
}

/** Whether a chain of calls begins with one that gets a context. */
function getsContext(node: TSESTree.Node, context: RuleContext<Messages, Options>): boolean {
  let at = withoutCasts(node);
  while (at.type === "CallExpression") {
    const ctx = contextOfCall(at, context);
    if (ctx !== undefined) return olderThan(node, ctx, context) !== undefined;
    if (at.callee.type !== "MemberExpression") return false;
    at = withoutCasts(at.callee.object);
  }
  return false;
}
