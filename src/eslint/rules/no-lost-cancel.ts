import type { TSESTree } from "@typescript-eslint/utils";
import { createsCancelable } from "./no-lost-cancel/cancelable-calls.ts";
import type { FlowPath } from "../flow/flow-path.ts";
import { createRule } from "../create-rule.ts";
import { mergeListeners } from "../flow/listeners.ts";
import { trackFlow } from "../flow/track-flow.ts";
import { fateOf } from "./no-lost-cancel/fate.ts";
import { bindingsOf, type Binding, type Mark } from "./no-lost-cancel/bindings.ts";
import { isEndedFinally, isHarmless, isLastCall } from "./no-lost-cancel/calls.ts";
import { usingInstead } from "./no-lost-cancel/suggest.ts";
import { calledApi } from "../references.ts";
import { typesOf } from "../types.ts";

type Messages = "never" | "path" | "turn" | "thrown" | "discarded" | "unbound" | "using";
type Options = readonly [{ throws?: boolean }?];

/** Refuses a context that some way through the code leaves without a cancel. Go: lostcancel. */
export const noLostCancel = createRule<Messages, Options>({
  name: "no-lost-cancel",
  meta: {
    type: "problem",
    docs: {
      description: "Refuses a context that its code does not cancel on every path.",
      configs: ["recommended"],
      strict: { throws: true },
    },
    hasSuggestions: true,
    messages: {
      never: "Nothing cancels `{{name}}`. Use `using`, or cancel it in `finally`.",
      path: "`{{name}}` is not canceled on the path that ends in line {{line}}. Use `using`, or cancel it in `finally`.",
      turn: "`{{name}}` gets another context before this one is canceled. Use `using`, or cancel it in `finally`.",
      thrown:
        "`{{name}}` is not canceled if line {{line}} throws. Use `using`, or cancel it in `finally`.",
      discarded: "Nothing can cancel this context. Put it into a variable with `using`.",
      unbound:
        "`cancel` throws without its context, so nothing cancels this one. Put the context into a variable with `using`.",
      using:
        "Declare `{{name}}` with `using`. The context then ends when the block ends, also if it throws.",
    },
    schema: [
      {
        type: "object",
        properties: {
          throws: {
            type: "boolean",
            description: "Also refuse a context that is not canceled if a call throws.",
          },
        },
        additionalProperties: false,
      },
    ],
    defaultOptions: [{ throws: false }],
  },
  create(context) {
    const throws = context.options[0]?.throws === true;
    let bindings: Binding[] = [];
    /** The node at which a mark belongs on the path. Assignments are marked at their ends. */
    let marks = new Map<TSESTree.Node, Mark[]>();

    const flow = trackFlow<Mark>({
      begin() {
        ({ bindings, marks } = bindingsOf(context));
        return bindings.length > 0;
      },
      closure(node, path) {
        for (const mark of marks.get(node) ?? []) path.mark(mark);
      },
      isExhaustive: (node) => typesOf(context.sourceCode)?.isExhaustive(node) === true,
      end(path) {
        for (const binding of bindings) if (binding.fn === path.node) check(binding, path);
      },
    });

    function check(binding: Binding, path: FlowPath<Mark>): void {
      const found = lostOn(binding, path);
      if (found === undefined) return;
      const { variable, name } = binding;
      const isNever = found.messageId !== "turn" && binding.ends.length === 0;
      context.report({
        node: name,
        messageId: isNever ? "never" : found.messageId,
        data: { name: variable.name, line: String(found.line) },
        suggest: usingInstead(binding, context, "using"),
      });
    }

    function lostOn(
      binding: Binding,
      path: FlowPath<Mark>,
    ): { messageId: Messages; line: number } | undefined {
      const found: { messageId: Messages; line: number; rank: number }[] = [];
      const note = (messageId: Messages, node: TSESTree.Node, rank: number): void =>
        void found.push({ messageId, rank, line: lineOf(node) });
      path.followFrom((mark) => mark.kind === "bind" && mark.binding === binding, {
        mark(mark) {
          if (mark.kind === "stop") return true;
          if (mark.kind === "jump")
            return binding.ends.some((end) => mark.finalizers.some((one) => contains(one, end)));
          if (mark.binding !== binding) return false;
          if (mark.kind === "bind" || mark.kind === "write") note("turn", binding.name, 1);
          return true;
        },
        throws: (call, target) =>
          (throws || target === "catch") &&
          !isHarmless(call, context) &&
          !isEndedFinally(call, binding.ends),
        exit({ how, node }) {
          if (binding.isOfModule) return;
          const isCall = !node.type.endsWith("Statement") && how === "throw";
          note(isCall ? "thrown" : "path", node, isCall ? 2 : 0);
        },
      });
      return found.sort((a, b) => a.rank - b.rank || a.line - b.line)[0];
    }

    function lineOf(node: TSESTree.Node): number {
      // The end of a function is its last line.
      return /Function|^Program$|^StaticBlock$/.test(node.type)
        ? node.loc.end.line
        : node.loc.start.line;
    }

    const at = (node: TSESTree.Node): void => {
      for (const mark of marks.get(node) ?? []) flow.mark(mark);
    };
    return mergeListeners(flow.listeners, {
      Identifier: at,
      ChainExpression: at,
      ":statement": at,
      "VariableDeclarator:exit": at,
      "AssignmentExpression:exit": at,
      "BreakStatement, ContinueStatement"(node: TSESTree.BreakStatement) {
        const finalizers = bindings.length > 0 ? finalizersAround(node) : [];
        if (finalizers.length > 0) flow.mark({ kind: "jump", finalizers });
      },
      "CallExpression:exit"(node: TSESTree.CallExpression) {
        if (bindings.length > 0 && isLastCall(node, context)) flow.mark({ kind: "stop" });
      },
      CallExpression(node: TSESTree.CallExpression) {
        if (!createsCancelable(node, context)) return;
        const { kind } = fateOf(node, context);
        // A context that is only watched for its end has no work to stop: afterFunc(merge(a, b), …).
        if (kind === "used" && calledApi(node.parent, context) !== "afterFunc")
          context.report({ node, messageId: "discarded" });
        // The `cancel` of eightysix needs its context. That of a wrapper may be bound to it.
        if (kind === "unbound" && calledApi(node, context) !== undefined)
          context.report({ node, messageId: "unbound" });
      },
    });
  },
});

/** The `finally` blocks that run between a `break` or `continue` and its target. ESLint's paths skip them. */
function finalizersAround(
  jump: TSESTree.BreakStatement | TSESTree.ContinueStatement,
): TSESTree.Node[] {
  const found: TSESTree.Node[] = [];
  let node: TSESTree.Node = jump;
  for (; node.parent; node = node.parent) {
    const parent: TSESTree.Node = node.parent;
    if (isTarget(parent, jump) || /Function/.test(parent.type)) break;
    if (parent.type === "TryStatement" && parent.finalizer && node !== parent.finalizer)
      found.push(parent.finalizer);
  }
  return found;
}

function isTarget(
  node: TSESTree.Node,
  { type, label }: TSESTree.BreakStatement | TSESTree.ContinueStatement,
): boolean {
  if (label !== null) return node.type === "LabeledStatement" && node.label.name === label.name;
  const isLoop = /^(?:For|While|DoWhile)/.test(node.type);
  return isLoop || (type === "BreakStatement" && node.type === "SwitchStatement");
}

function contains(outer: TSESTree.Node, inner: TSESTree.Node): boolean {
  return outer.range[0] <= inner.range[0] && inner.range[1] <= outer.range[1];
}
