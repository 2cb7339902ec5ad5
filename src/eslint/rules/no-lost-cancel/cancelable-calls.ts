/** Whether a call makes a cancelable context that its caller must end. */
import type { TSESTree } from "@typescript-eslint/utils";
import type * as ts from "typescript";
import { CANCELABLE } from "../../api.ts";
import type { RuleContext } from "../../create-rule.ts";
import { fateOf } from "./fate.ts";
import { functionOf, type FunctionNode } from "../../ownership.ts";
import { calledApi, variableOf } from "../../references.ts";
import { typesOf } from "../../types.ts";

/** Functions that look a context up: `getContext()`, `contexts.find(…)`. Something else owns it. */
const LOOKS_UP =
  /^(?:at|current|ensure|find|get|lookup|of|peek|pop|read|resolve|shift|take|use|wait)(?![a-z])/;

/** Whether the call makes a cancelable context: a call of eightysix, or of a function that wraps one. */
export function createsCancelable(call: TSESTree.CallExpression, context: RuleContext): boolean {
  const api = calledApi(call, context);
  if (api !== undefined) return CANCELABLE.has(api);
  const own = functionOf(call.callee, context);
  if (own !== undefined) return (!own.async || isAwaited(call)) && wraps(own, context);
  return createsByType(call, context);
}

/** Functions that are being looked at, because they may call each other. */
const visiting = new Set<FunctionNode>();

function isAwaited({ parent }: TSESTree.CallExpression): boolean {
  return parent.type === "AwaitExpression";
}

/** Whether a function of the same file returns a context that it has made. */
function wraps(fn: FunctionNode, context: RuleContext): boolean {
  if (fn.generator || visiting.has(fn)) return false;
  visiting.add(fn);
  try {
    const values = returnedBy(fn);
    return values.length > 0 && values.every((value) => isFresh(value, fn, context));
  } finally {
    visiting.delete(fn);
  }
}

function isFresh(value: TSESTree.Expression, fn: FunctionNode, context: RuleContext): boolean {
  if (value.type === "AwaitExpression") return isFresh(value.argument, fn, context);
  if (value.type === "CallExpression") return createsCancelable(value, context);
  if (value.type !== "Identifier") return false;
  // const ctx = withCancel(parent); … return ctx;
  const variable = variableOf(value, context.sourceCode);
  const [definition] = variable?.defs ?? [];
  if (definition?.node.type !== "VariableDeclarator" || variable?.scope.variableScope.block !== fn)
    return false;
  const { init } = definition.node;
  if (init?.type !== "CallExpression" || !createsCancelable(init, context)) return false;
  // If the function also cancels it or hands it over, its caller need not.
  return variable.references
    .filter((reference) => reference.isRead() && !isReturned(reference.identifier))
    .every(({ identifier }) => /^(?:used|tested)$/.test(fateOf(identifier, context).kind));
}

function isReturned({ parent }: TSESTree.Node): boolean {
  return parent?.type === "ReturnStatement";
}

/** Returns the expressions that a function returns, those of inner functions aside. */
function returnedBy({ body }: FunctionNode): TSESTree.Expression[] {
  if (body.type !== "BlockStatement") return [body];
  const found: TSESTree.Expression[] = [];
  const visit = (node: TSESTree.Node): void => {
    if (node.type === "ReturnStatement" && node.argument !== null) found.push(node.argument);
    // Statements hold what they repeat and choose from under these names.
    const {
      body: inner,
      consequent,
      alternate,
      block,
      handler,
      finalizer,
      cases,
    } = node as unknown as Record<string, TSESTree.Node | TSESTree.Node[] | null | undefined>;
    for (const child of [inner, consequent, alternate, block, handler, finalizer, cases].flat())
      if (child && /Statement$|^SwitchCase$|^CatchClause$/.test(child.type)) visit(child);
  };
  visit(body);
  return found;
}

/** Whether the declaration of what is called promises a cancelable context, and nothing shows that it keeps it. */
function createsByType(call: TSESTree.CallExpression, context: RuleContext): boolean {
  const types = typesOf(context.sourceCode);
  const name = calleeName(call);
  if (types === undefined || !types.knowsEightysix || name === undefined || LOOKS_UP.test(name))
    return false;
  // Cheaper than to resolve the call, and enough for nearly all.
  const valueOf = (type: ts.Type): ts.Type =>
    isAwaited(call) ? (types.checker.getAwaitedType(type) ?? type) : type;
  const isOne = (type: ts.Type): boolean => types.isCancelableType(valueOf(type)) === true;
  if (!types.resultsOf(call).some(isOne)) return false;
  const declaration = types.signatureOf(call)?.getDeclaration();
  if (declaration === undefined) return false;
  // The declared type: that of `map.get(key)` is a parameter, and not a context.
  const declared = types.checker.getSignatureFromDeclaration(declaration)?.getReturnType();
  if (declared === undefined || valueOf(declared).isTypeParameter() || !isOne(declared))
    return false;
  const { body } = declaration as { body?: ts.Node };
  return body === undefined || !keepsOrReads(body.getText());
}

/** Whether a function returns what it has stored, stores what it returns, or cancels it itself. */
function keepsOrReads(body: string): boolean {
  if (
    !body.includes("(") ||
    /\?\?=|\bthis\.[#\w]+\s*=[^=]|\.(?:get|cancel)\b|\bdispose\b/.test(body)
  )
    return true;
  const [, name] = /\breturn\s+(\w+)\s*;?\s*\}/.exec(body) ?? [];
  return name !== undefined && new RegExp(`\\.\\w+\\((?:[^()]*,\\s*)?${name}\\b`).test(body);
}

function calleeName({ callee }: TSESTree.CallExpression): string | undefined {
  if (callee.type === "Identifier") return callee.name;
  if (callee.type !== "MemberExpression") return undefined;
  return callee.property.type === "Identifier" && !callee.computed
    ? callee.property.name
    : undefined;
}
