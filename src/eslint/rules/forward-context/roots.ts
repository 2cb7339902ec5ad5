/** `work(background())` where a context is at hand. */
import type { TSESTree } from "@typescript-eslint/utils";
import { ROOTS } from "../../api.ts";
import { isAfterEnd } from "../../after-end.ts";
import { contextAtHand, type AtHand } from "../../at-hand.ts";
import type { RuleContext } from "../../create-rule.ts";
import { calledApi } from "../../references.ts";
import { ancestorsOf, declarationOf, isCleanup, mentions } from "../../source-tree.ts";

/** A root that is passed although a context is at hand. */
export interface PassedRoot {
  /** "background" or "todo" */
  root: string;
  ctx: AtHand;
}

/** Functions that only look at what they get. */
const LOOKS = /^(?:assert|console|expect|Boolean|Object|String)$/;

/** Returns the context that should be passed instead, if `node` is a root in the place of a context. */
export function passedRoot(
  node: TSESTree.CallExpression,
  context: RuleContext,
): PassedRoot | undefined {
  const { parent: call } = node;
  if (call.type !== "CallExpression" || call.arguments[0] !== node) return undefined;
  if (node.arguments.length > 0) return undefined;
  const root = calledApi(node, context);
  if (root === undefined || !ROOTS.has(root)) return undefined;
  if (LOOKS.test(firstName(call.callee)) || isCleanup(node)) return undefined;
  if (isAfterEnd(node, context.sourceCode)) return undefined;
  const ctx = contextAtHand(node, context, ({ isGiven }) => isGiven);
  if (ctx === undefined || isLinked(call, ctx, context)) return undefined;
  return { root, ctx };
}

/**
 * Whether the context that a call derives from the root, such as `withCancel(background())`, has a life
 * of its own on purpose: the call takes the other context, too, a later call takes both, or an object
 * keeps it.
 */
function isLinked(
  call: TSESTree.CallExpression,
  { variable }: AtHand,
  { sourceCode }: RuleContext,
): boolean {
  if (isCallWith(call, variable) || callsAround(call).some((at) => isCallWith(at, variable)))
    return true;
  if (call.parent.type === "AssignmentExpression" || call.parent.type === "PropertyDefinition")
    return call.parent.type !== "AssignmentExpression" || call.parent.left.type !== "Identifier";
  const own = declarationOf(call, sourceCode);
  return (
    own?.references.some(({ identifier }) => {
      const around = ancestorsOf(identifier);
      const within = around.slice(0, around.indexOf(own.scope.block));
      return within.some((at) => isCallWith(at, variable));
    }) ?? false
  );
}

/** Returns the calls that get the result of a call, such as `f` and `g` of `f(g(call))`. */
function callsAround(call: TSESTree.Node): TSESTree.Node[] {
  const around = ancestorsOf(call);
  const end = around.findIndex(({ type }) => /Statement|Declaration|Function/.test(type));
  return around.slice(0, end);
}

function isCallWith(node: TSESTree.Node, variable: AtHand["variable"]): boolean {
  return (
    (node.type === "CallExpression" || node.type === "NewExpression") && mentions(node, variable)
  );
}

function firstName(callee: TSESTree.Node): string {
  if (callee.type === "MemberExpression") return firstName(callee.object);
  return callee.type === "Identifier" ? callee.name : "";
}
