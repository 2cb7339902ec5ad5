/** Where a call has its options, or could have them, and whether they may hold a signal already. */
import type { TSESTree } from "@typescript-eslint/utils";
import type { RuleContext } from "../../create-rule.ts";
import { isGlobal, isReassigned, keyName, propertyName, variableOf } from "../../references.ts";
import type { SignalApi } from "./signal-apis.ts";
import { typesOf } from "../../types.ts";

/** Options that say that the work is to go on. */
const GOES_ON: ReadonlySet<string> = new Set(["detached", "keepalive"]);

/** The place for the signal in a call that has none. */
export type Place =
  /** An object in the call itself. */
  | { kind: "object"; node: TSESTree.ObjectExpression }
  /** No options. They go in front of `before` or, if there is none, behind all arguments. */
  | { kind: "absent"; before?: TSESTree.Node; fill: number }
  /** The name of an encoding. */
  | { kind: "encoding"; node: TSESTree.Node }
  /** An object without a signal that the call gets from elsewhere. */
  | { kind: "elsewhere"; node: TSESTree.Expression };

/** Returns the place for a signal, or `undefined` if the call may have one, or if the place is unknown. */
export function placeForSignal(
  call: TSESTree.CallExpression,
  api: SignalApi,
  context: RuleContext,
): Place | undefined {
  const args = call.arguments as TSESTree.Expression[];
  if (args.some(({ type }) => (type as string) === "SpreadElement")) return undefined;
  if (api.shape === "last") return placeAtEnd(args, context);
  const last = args.at(-1);
  const callback = last !== undefined && isCallback(last) ? last : undefined;
  const values = callback === undefined ? args : args.slice(0, -1);
  const index = indexOf(values, api, context);
  if (index === undefined) return undefined;
  const options = values[index];
  if (api.shape === "object" && options?.type !== "ObjectExpression") return undefined;
  if (options === undefined) {
    const fill = index - values.length;
    if (api.isRequired === true || (callback !== undefined && fill > 0)) return undefined;
    return { kind: "absent", fill, ...(callback === undefined ? {} : { before: callback }) };
  }
  if (api.shape === "string" && options.type === "Literal" && typeof options.value === "string")
    return { kind: "encoding", node: options };
  return placeIn(options, api.option ?? "signal", context);
}

function placeIn(
  options: TSESTree.Expression,
  option: string,
  context: RuleContext,
): Place | undefined {
  if (mayHold(options, option, context)) return undefined;
  return options.type === "ObjectExpression"
    ? { kind: "object", node: options }
    : { kind: "elsewhere", node: options };
}

/** `pipeline(a, b, { end: false })` */
function placeAtEnd(args: TSESTree.Expression[], context: RuleContext): Place | undefined {
  const last = args.at(-1);
  if (last === undefined || args.length < 2) return undefined;
  if (last.type === "ObjectExpression") return placeIn(last, "signal", context);
  const name = last.type === "Identifier" ? last.name : "";
  if (/opt/i.test(name)) return undefined;
  return { kind: "absent", fill: 0 };
}

/** Returns the index of the options, or `undefined` if the source does not tell. */
function indexOf(
  args: readonly TSESTree.Expression[],
  { index, shape }: SignalApi,
  context: RuleContext,
): number | undefined {
  if (shape === "url") {
    const [first] = args;
    if (first?.type === "ObjectExpression") return 0;
    return first !== undefined && isUrl(first) ? 1 : undefined;
  }
  const one = args[index];
  if (shape !== "array" || one === undefined || one.type === "ObjectExpression") return index;
  if (one.type === "ArrayExpression" || args[index + 1] !== undefined) return index + 1;
  const isArray =
    typesOf(context.sourceCode)?.isArray(one) ??
    (one.type === "Identifier" && /arg/i.test(one.name));
  return isArray ? index + 1 : undefined;
}

function isUrl(node: TSESTree.Expression): boolean {
  if (node.type === "Identifier") return /ur[il]|href|endpoint|address/i.test(node.name);
  if (node.type === "NewExpression")
    return node.callee.type === "Identifier" && node.callee.name === "URL";
  return (
    node.type === "TemplateLiteral" || (node.type === "Literal" && typeof node.value === "string")
  );
}

function isCallback({ type }: TSESTree.Expression): boolean {
  return type === "ArrowFunctionExpression" || type === "FunctionExpression";
}

/** Whether an expression may be an object with that option, or says that the work is to go on. */
function mayHold(node: TSESTree.Expression, option: string, context: RuleContext): boolean {
  switch (node.type) {
    case "ObjectExpression":
      return node.properties.some((property) => {
        if (property.type === "SpreadElement") return mayHold(property.argument, option, context);
        const name = keyName(property.key, property.computed);
        if (name === undefined) return property.computed;
        return name === option || (GOES_ON.has(name) && isTrue(property.value));
      });
    case "ConditionalExpression":
      return mayHold(node.consequent, option, context) || mayHold(node.alternate, option, context);
    case "LogicalExpression":
      return node.operator === "&&"
        ? mayHold(node.right, option, context)
        : mayHold(node.left, option, context) || mayHold(node.right, option, context);
    case "TSAsExpression":
    case "TSSatisfiesExpression":
    case "TSNonNullExpression":
      return mayHold(node.expression, option, context);
    case "Literal":
      // `null` as the options is a choice. In a spread it is nothing.
      return node.parent.type !== "SpreadElement" && node.parent.type !== "ConditionalExpression";
    case "Identifier":
      if (isGlobal(node, "undefined", context)) return node.parent.type === "CallExpression";
      return !isPlainObject(node, option, context) && !lacks(node, option, context);
    default:
      return !lacks(node, option, context);
  }
}

function lacks(node: TSESTree.Expression, option: string, context: RuleContext): boolean {
  return typesOf(context.sourceCode)?.lacksProperty(node, option) ?? false;
}

/** Whether an identifier is a constant object of the file without that option, which nothing changes. */
function isPlainObject(node: TSESTree.Identifier, option: string, context: RuleContext): boolean {
  const variable = variableOf(node, context.sourceCode);
  const definition = variable?.defs[0];
  if (variable === undefined || definition?.node.type !== "VariableDeclarator") return false;
  const { init, id } = definition.node;
  if (init?.type !== "ObjectExpression" || id.type !== "Identifier" || isReassigned(variable))
    return false;
  const isChanged = variable.references.some(({ identifier, init: isInit }) => {
    if (isInit === true || identifier === node) return false;
    const { parent } = identifier;
    if (parent.type === "MemberExpression" && parent.object === identifier)
      return parent.parent.type === "AssignmentExpression" && isOption(parent, option);
    return parent.type !== "SpreadElement"; // other code has it
  });
  return !isChanged && !mayHold(init, option, context);
}

function isOption(member: TSESTree.MemberExpression, option: string): boolean {
  const name = propertyName(member);
  return name === undefined || name === option;
}

function isTrue(node: TSESTree.Node): boolean {
  return node.type === "Literal" && node.value === true;
}
