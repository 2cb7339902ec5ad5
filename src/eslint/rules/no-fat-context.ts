import type { TSESTree } from "@typescript-eslint/utils";
import type { FlowPath } from "../flow/flow-path.ts";
import { createRule } from "../create-rule.ts";
import {
  isSame,
  nestingOf,
  targetOf,
  type Nesting,
  type Target,
} from "./no-fat-context/nestings.ts";
import { runsOnce } from "./no-fat-context/once.ts";
import { newConstant } from "./no-fat-context/suggest.ts";
import { mergeListeners } from "../flow/listeners.ts";
import { trackFlow } from "../flow/track-flow.ts";
import { calledApi, variableOf } from "../references.ts";

/** What is noted on the path through a function. */
type Mark = { kind: "nest"; nesting: Nesting } | { kind: "write"; target: Target };

/** A file without an assignment of this kind needs no path. */
const ASSIGNS = /[\w\])]\s*=\s*(?:await\s+)?[\w.$]+\(/;

/** Refuses a context that each turn of a loop, or each call of a function, nests one level deeper. */
export const noFatContext = createRule({
  name: "no-fat-context",
  meta: {
    type: "problem",
    docs: {
      description:
        "Refuses a context that each turn of a loop or each call of a function nests deeper.",
      configs: ["recommended"],
    },
    hasSuggestions: true,
    messages: {
      loop: "Each turn of the loop puts a child of `{{text}}` in its place, so the contexts nest deeper and deeper. Declare a new constant in the loop.",
      closure:
        "Each call of this function puts a child of `{{text}}` in its place, so the contexts nest deeper and deeper. Declare a new constant in the function.",
      constant: "Declare `{{keyword}} {{name}}`, and use it in the rest of the block.",
    },
    schema: [],
  },
  create(context) {
    const { sourceCode } = context;
    const nestings = new Map<TSESTree.Node, Nesting>();
    let isOn = false;
    const flow = trackFlow<Mark>({
      begin: () => (isOn = ASSIGNS.test(sourceCode.text)),
      end(path) {
        const reported: { loop: TSESTree.Node; target: Target }[] = [];
        for (const nesting of nestings.values()) {
          if (functionAround(nesting.node) !== path.node) continue;
          const messageId = reachesItself(nesting, path)
            ? "loop"
            : nestsOnEachCall(nesting, path)
              ? "closure"
              : undefined;
          if (messageId === undefined) continue;
          // One finding for each loop: the first shows what is wrong with the others.
          const loop = loopAround(nesting.node);
          if (reported.some((one) => one.loop === loop && isSame(one.target, nesting.target)))
            continue;
          reported.push({ loop, target: nesting.target });
          context.report({
            node: nesting.node,
            messageId,
            data: { text: nesting.text },
            suggest: newConstant(nesting, path.node, context, "constant"),
          });
        }
      },
    });

    /** Whether a way leads from the assignment back to it, and nothing else is written in between. */
    function reachesItself(nesting: Nesting, path: FlowPath<Mark>): boolean {
      if (foldsOver(nesting)) return false;
      let isReached = false;
      path.followFrom((mark) => mark.kind === "nest" && mark.nesting === nesting, {
        mark(mark) {
          if (mark.kind === "write") return resets(mark.target, nesting.target);
          if (mark.nesting !== nesting) return false;
          isReached = true;
          return true;
        },
        throws: (_, target) => target !== "caller",
      });
      return isReached;
    }

    /** Whether a function nests a variable that is declared outside of it. */
    function nestsOnEachCall({ target, node }: Nesting, path: FlowPath<Mark>): boolean {
      if (target.root === undefined || target.path !== "") return false;
      if (path.node.type === "Program" || runsOnce(path.node, context)) return false;
      if (sourceCode.getScope(node).variableScope === target.root.scope.variableScope) return false;
      let isReached = false;
      path.followFromBeginning({
        mark(mark) {
          if (mark.kind === "write") return resets(mark.target, target);
          if (mark.nesting.node === node) isReached = true;
          return isReached;
        },
        throws: (_, to) => to !== "caller",
      });
      return isReached;
    }

    /** Whether each turn adds something of its own: another key, or what a function of the list adds. */
    function foldsOver({ call, node }: Nesting): boolean {
      const loop = loopAround(node);
      const varying = calledApi(call, context) === "withValue" ? call.arguments[1] : call.callee;
      return varying !== undefined && isDeclaredIn(varying, loop);
    }

    /** Whether an expression contains a variable that the loop declares. */
    function isDeclaredIn(node: TSESTree.Node, loop: TSESTree.Node): boolean {
      if (node.type === "Identifier") {
        const declaration = variableOf(node, sourceCode)?.defs[0]?.node;
        return declaration !== undefined && isIn(declaration, loop) && declaration !== loop;
      }
      return (sourceCode.visitorKeys[node.type] ?? []).some((key) =>
        [(node as unknown as Record<string, unknown>)[key]]
          .flat()
          .some((child) => !!child && isDeclaredIn(child as TSESTree.Node, loop)),
      );
    }

    return mergeListeners(flow.listeners, {
      "AssignmentExpression:exit"(node: TSESTree.AssignmentExpression) {
        if (!isOn) return;
        const nesting = nestingOf(node, context);
        if (nesting !== undefined) {
          nestings.set(node, nesting);
          flow.mark({ kind: "nest", nesting });
          return;
        }
        const target = targetOf(node.left, context);
        if (target !== undefined) flow.mark({ kind: "write", target });
      },
      "VariableDeclarator:exit"(node: TSESTree.VariableDeclarator) {
        if (!isOn) return;
        for (const root of sourceCode.getDeclaredVariables(node))
          flow.mark({ kind: "write", target: { root, path: "" } });
      },
    });
  },
});

/** Whether a write replaces what the target names: the variable, or an object on the path to the member. */
function resets(written: Target, target: Target): boolean {
  if (written.root !== target.root) return false;
  return written.path === target.path || target.path.startsWith(`${written.path}.`);
}

function functionAround(node: TSESTree.Node): TSESTree.Node {
  let found = node;
  do found = found.parent ?? found;
  while (
    found.parent &&
    !/^(?:Arrow)?Function(?:Expression|Declaration)$|^StaticBlock$/.test(found.type)
  );
  return found;
}

/** Returns the innermost loop around a node, or the function if there is none. */
function loopAround(node: TSESTree.Node): TSESTree.Node {
  let found = node;
  do found = found.parent ?? found;
  while (found.parent && !/^(?:For|While|DoWhile)|Function|^StaticBlock$/.test(found.type));
  return found;
}

function isIn(inner: TSESTree.Node, outer: TSESTree.Node): boolean {
  return outer.range[0] <= inner.range[0] && inner.range[1] <= outer.range[1];
}
