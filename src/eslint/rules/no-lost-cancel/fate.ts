/** What becomes of a context at the place where an expression gives it: who ends it, if anyone. */
import type { TSESTree } from "@typescript-eslint/utils";
import type { RuleContext } from "../../create-rule.ts";
import {
  functionOf,
  isGlobal,
  takesByAnnotation,
  takesByCallee,
  takesByName,
  takesByType,
  type Call,
  type FunctionNode,
} from "../../ownership.ts";
import { apiName, propertyName } from "../../references.ts";

/**
 * - `used`: it is used as a context, or dropped. Nothing here ends it.
 * - `tested`: a condition asks whether it is there, or whether it has ended.
 * - `ended`: it is canceled or disposed of.
 * - `handed-over`: something else may end it.
 * - `bound`: a variable or a parameter holds it.
 * - `unbound`: `cancel` is taken off it, and throws without its context.
 */
export type Fate =
  | { kind: "used" | "tested" | "ended" | "handed-over" | "unbound" }
  | { kind: "bound"; by: TSESTree.VariableDeclarator | TSESTree.AssignmentExpression };

export type FateKind = Fate["kind"];

const used: Fate = { kind: "used" };
const tested: Fate = { kind: "tested" };
const handedOver: Fate = { kind: "handed-over" };

/** Members that neither end a context nor give it away. */
const HARMLESS: ReadonlySet<string | undefined> = new Set([
  "deadline",
  "err",
  "signal",
  "toJSON",
  "toString",
  "value",
]);

/** Returns what becomes of the value of `node`. What is not known counts as handed over. */
export function fateOf(node: TSESTree.Node, context: RuleContext): Fate {
  const { parent } = node;
  switch (parent?.type) {
    case "TSAsExpression":
    case "TSSatisfiesExpression":
    case "TSNonNullExpression":
    case "TSTypeAssertion":
    case "ChainExpression":
    case "AwaitExpression":
      return fateOf(parent, context);
    case "ExpressionStatement":
    case "TemplateLiteral":
    case "TSTypeQuery": // typeof ctx
      return used;
    case "UnaryExpression":
      return parent.operator === "!" ? tested : used;
    case "BinaryExpression":
      return isNothing(parent.left) || isNothing(parent.right) ? tested : used;
    case "IfStatement":
    case "WhileStatement":
    case "DoWhileStatement":
    case "ForStatement":
      return tested;
    case "ConditionalExpression":
      return parent.test === node ? tested : fateOf(parent, context);
    case "LogicalExpression":
      return parent.left === node && parent.operator === "&&" ? tested : fateOf(parent, context);
    case "SequenceExpression":
      return parent.expressions.at(-1) === node ? fateOf(parent, context) : used;
    case "MemberExpression":
      return parent.object === node ? fateOfMember(parent, context) : used;
    case "CallExpression":
    case "NewExpression": {
      if (parent.callee === node) return handedOver;
      const index = (parent.arguments as TSESTree.Node[]).indexOf(node);
      return takesOwnership(parent, index, context) ? handedOver : used;
    }
    case "VariableDeclarator":
      return fateOfDeclarator(parent);
    case "AssignmentExpression":
      return parent.right === node &&
        parent.left.type === "Identifier" &&
        parent.parent.type === "ExpressionStatement"
        ? { kind: "bound", by: parent }
        : handedOver;
    default:
      return handedOver;
  }
}

function fateOfMember(member: TSESTree.MemberExpression, context: RuleContext): Fate {
  const name = propertyName(member);
  if (name === "cancel" || isDispose(member, context))
    return isCalled(member) ? { kind: "ended" } : handedOver;
  if (!HARMLESS.has(name)) return handedOver;
  if (name !== "err" && name !== "signal") return used;
  // A condition on ctx.err() or ctx.signal.aborted knows whether the context has ended.
  const { parent } = member;
  const isState =
    name === "err"
      ? parent.type === "CallExpression"
      : parent.type === "MemberExpression" && propertyName(parent) === "aborted";
  return isState && fateOf(parent, context).kind === "tested" ? tested : used;
}

function isDispose(member: TSESTree.MemberExpression, context: RuleContext): boolean {
  if (!member.computed || member.property.type !== "MemberExpression") return false;
  const { object } = member.property;
  return propertyName(member.property) === "dispose" && isGlobal(object, "Symbol", context);
}

function isCalled({ parent }: TSESTree.MemberExpression): boolean {
  return parent.type === "CallExpression";
}

function fateOfDeclarator(declarator: TSESTree.VariableDeclarator): Fate {
  const { id, parent } = declarator;
  if (parent.kind === "using" || parent.kind === "await using") return { kind: "ended" };
  if (id.type === "Identifier") return { kind: "bound", by: declarator };
  if (id.type !== "ObjectPattern") return handedOver;
  const names = id.properties.map((property) =>
    property.type === "Property" && property.key.type === "Identifier" && !property.computed
      ? property.key.name
      : undefined,
  );
  if (names.includes("cancel")) return { kind: "unbound" };
  return names.every((name) => HARMLESS.has(name)) ? used : handedOver;
}

function isNothing(node: TSESTree.Node): boolean {
  if (node.type === "Identifier") return node.name === "undefined";
  return node.type === "Literal" && node.value === null && node.raw === "null";
}

/**
 * Whether the call may end its argument at `index`, or keep it for code that does. A parameter of
 * the type `Context` may not, because it has no `cancel`. What is not known counts as "may".
 */
function takesOwnership(call: Call, index: number, context: RuleContext): boolean {
  if (index === -1) return true;
  if (call.type === "CallExpression") {
    const api = apiName(call.callee, context);
    if (api !== undefined) return index > 0 && api !== "merge"; // a value may be stored
    const { callee } = call;
    // Logging keeps nothing.
    if (callee.type === "MemberExpression" && isGlobal(callee.object, "console", context))
      return false;
  }
  const own = functionOf(call.callee, context);
  if (own !== undefined) return parameterTakes(own, index, context);
  return (
    takesByType(call, index, context) ??
    takesByCallee(call, index, context) ??
    takesByName(call, index)
  );
}

/** Functions that are being looked at, because they may call each other. */
const visiting = new Set<TSESTree.Node>();

function parameterTakes(fn: FunctionNode, index: number, context: RuleContext): boolean {
  const parameter = fn.params.filter((one) => !isThis(one))[index];
  if (parameter?.type !== "Identifier") return true;
  const byAnnotation = takesByAnnotation(parameter, context);
  if (byAnnotation !== undefined) return byAnnotation;
  if (visiting.has(parameter)) return false;
  visiting.add(parameter);
  try {
    // A method or a call further inside may end it, or pass it on to something that does.
    const variable = context.sourceCode
      .getDeclaredVariables(fn)
      .find(({ defs: [definition] }) => definition?.name === parameter);
    return (variable?.references ?? []).some(({ identifier }) => {
      const { kind } = fateOf(identifier, context);
      return kind !== "used" && kind !== "tested";
    });
  } finally {
    visiting.delete(parameter);
  }
}

function isThis(parameter: TSESTree.Parameter): boolean {
  return parameter.type === "Identifier" && parameter.name === "this";
}
