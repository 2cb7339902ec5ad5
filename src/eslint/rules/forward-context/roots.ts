/** `work(background())` where a context is at hand. */
import type { TSESTree } from "@typescript-eslint/utils";
import { ROOTS } from "../../api.ts";
import { isAfterEnd } from "../../after-end.ts";
import { contextAtHand, type AtHand } from "../../at-hand.ts";
import { isContext } from "../../contexts.ts";
import type { RuleContext } from "../../create-rule.ts";
import { calledApi, propertyName } from "../../references.ts";
import { ancestorsOf, contains, declarationOf, isCleanup, mentions } from "../../source-tree.ts";

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
  if (ctx === undefined || isLinked(call, node, ctx, context)) return undefined;
  return { root, ctx };
}

/**
 * Whether a call takes the root on purpose: it takes the other context, too; or it derives a context
 * from the root, such as `withCancel(background())`, which goes to a call together with the other
 * context, or which an object keeps.
 */
function isLinked(
  call: TSESTree.CallExpression,
  root: TSESTree.Node,
  { variable }: AtHand,
  context: RuleContext,
): boolean {
  if (takesOther(call, root, context)) return true;
  const { parent } = call;
  if (parent.type === "AssignmentExpression" || parent.type === "PropertyDefinition")
    return parent.type !== "AssignmentExpression" || parent.left.type !== "Identifier";
  if (!isContext(call, context)) return false;
  const linked = linkedBy(call);
  if (linked !== undefined && takesOther(linked.call, linked.argument, context)) return true;
  const own = declarationOf(call, context.sourceCode);
  return (
    own?.references.some(({ identifier }) => {
      const around = ancestorsOf(identifier);
      const within = around.slice(0, around.indexOf(own.scope.block));
      return within.some((at) => isCallWith(at, variable));
    }) ?? false
  );
}

/** Returns the call that gets a context as an argument, or as a part of one: `f({ life: call })`. */
function linkedBy(
  call: TSESTree.Node,
): { call: TSESTree.CallExpression | TSESTree.NewExpression; argument: TSESTree.Node } | undefined {
  let argument = call;
  let { parent } = call;
  while (parent && /^(?:Array|Object)Expression$|^Property$/.test(parent.type)) {
    argument = parent;
    ({ parent } = parent);
  }
  if (parent?.type !== "CallExpression" && parent?.type !== "NewExpression") return undefined;
  return parent.callee === argument ? undefined : { call: parent, argument };
}

/** Whether a call takes a context, or the signal of one, beside that of `own`. */
function takesOther(
  call: TSESTree.CallExpression | TSESTree.NewExpression,
  own: TSESTree.Node,
  context: RuleContext,
): boolean {
  const isOther = (node: TSESTree.Node | null): boolean => {
    if (node === null) return false;
    switch (node.type) {
      case "ArrayExpression":
        return node.elements.some(isOther);
      case "ObjectExpression":
        return node.properties.some(
          (property) => property.type === "Property" && isOther(property.value),
        );
      case "MemberExpression":
        if (propertyName(node) === "signal" && isContext(node.object, context)) return true;
        return isContext(node, context);
      case "Identifier":
        return isContext(node, context);
      case "CallExpression":
        return !contains(own, node) && isContext(node, context);
      default:
        return false;
    }
  };
  return call.arguments.some(isOther);
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
