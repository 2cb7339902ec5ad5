/** What calls do to the path that they are on. */
import type { TSESTree } from "@typescript-eslint/utils";
import type { RuleContext } from "../../create-rule.ts";
import { isGlobal } from "../../ownership.ts";
import { calledApi, propertyName } from "../../references.ts";
import { contains } from "../../source-tree.ts";
import { typesOf } from "../../types.ts";

/** Calls that end the process. */
const PROCESS_ENDS: Readonly<Record<string, readonly string[]>> = {
  process: ["exit", "abort", "reallyExit"],
  Deno: ["exit"],
};

/** Whether code behind the call does not run. */
export function isLastCall(call: TSESTree.CallExpression, context: RuleContext): boolean {
  if (call.parent.type !== "ExpressionStatement" && call.parent.type !== "AwaitExpression")
    return false;
  const { callee } = call;
  if (callee.type === "MemberExpression")
    for (const [object, names] of Object.entries(PROCESS_ENDS))
      if (isGlobal(callee.object, object, context))
        return names.includes(propertyName(callee) ?? "");
  const types = typesOf(context.sourceCode);
  if (types === undefined) return false;
  const type = types.signatureOf(call)?.getReturnType();
  return type !== undefined && types.checker.typeToString(type) === "never";
}

/** Functions of eightysix that throw only if they are called wrongly. */
const HARMLESS_API: ReadonlySet<string> = new Set([
  "afterFunc",
  "background",
  "cause",
  "isCanceled",
  "isContextError",
  "isDeadlineExceeded",
  "merge",
  "notifyContext",
  "remaining",
  "todo",
  "withCancel",
  "withDeadline",
  "withLedger",
  "withoutCancel",
  "withSignal",
  "withTimeout",
  "withValue",
]);

const HARMLESS_GLOBALS: ReadonlySet<string> = new Set([
  "AbortController",
  "Boolean",
  "Date",
  "Error",
  "Map",
  "Set",
  "WeakMap",
  "clearImmediate",
  "clearInterval",
  "clearTimeout",
  "queueMicrotask",
  "setImmediate",
  "setInterval",
  "setTimeout",
]);

/** Methods of a context, and of what contexts are used with. */
const HARMLESS_METHODS: ReadonlySet<string> = new Set([
  "addEventListener",
  "cancel",
  "deadline",
  "defer",
  "err",
  "now",
  "removeEventListener",
]);

/** Whether the call does not throw when it is used as documented. */
export function isHarmless(node: TSESTree.Node, context: RuleContext): boolean {
  if (node.type !== "CallExpression" && node.type !== "NewExpression") return false;
  const { callee } = node;
  if (callee.type === "Identifier") {
    const name = calledApi(node, context);
    if (name !== undefined) return HARMLESS_API.has(name);
    return HARMLESS_GLOBALS.has(callee.name) && isGlobal(callee, callee.name, context);
  }
  if (callee.type !== "MemberExpression") return false;
  if (isGlobal(callee.object, "console", context)) return true;
  const api = calledApi(node, context);
  if (api !== undefined) return HARMLESS_API.has(api);
  return HARMLESS_METHODS.has(propertyName(callee) ?? "");
}

/** Whether `call` begins a chain such as `work(ctx).finally(() => ctx.cancel())`, which ends the context. */
export function isEndedFinally(call: TSESTree.Node, ends: readonly TSESTree.Node[]): boolean {
  let at = call;
  while (at.parent?.type === "MemberExpression" && at.parent.object === at) {
    const member = at.parent;
    const next = member.parent;
    if (next.type !== "CallExpression" || next.callee !== member) return false;
    const name = propertyName(member) ?? "";
    if (!/^(?:then|catch|finally)$/.test(name)) return false;
    if (name === "finally" && next.arguments.some((one) => ends.some((end) => contains(one, end))))
      return true;
    at = next;
  }
  return false;
}
