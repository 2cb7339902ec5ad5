/** Whether a function is called at most once each time its definition is reached. */
import type { TSESTree } from "@typescript-eslint/utils";
import type { RuleContext } from "../../create-rule.ts";
import { calledApi, propertyName } from "../../references.ts";

/** Functions that call the function that they are given once. */
const CALL_ONCE: ReadonlySet<string> = new Set([
  "after",
  "before",
  "beforeAll",
  "catch",
  "finally",
  "nextTick",
  "once",
  "queueMicrotask",
  "setImmediate",
  "setTimeout",
  "then",
]);

const API_CALLS_ONCE: ReadonlySet<string> = new Set([
  "afterFunc",
  "detach",
  "group",
  "runWithContext",
  "runWithoutContext",
  "shield",
  "within",
]);

export function runsOnce(fn: TSESTree.Node, context: RuleContext): boolean {
  if (fn.type === "FunctionDeclaration")
    return fn.id?.name === "main" && fn.parent.type === "Program";
  const { parent } = fn;
  if (parent?.type === "NewExpression")
    return parent.callee.type === "Identifier" && parent.callee.name === "Promise";
  if (parent?.type !== "CallExpression") return false;
  const { callee } = parent;
  if (callee === fn) return true;
  const api = calledApi(parent, context);
  if (api !== undefined) return API_CALLS_ONCE.has(api);
  const name =
    callee.type === "Identifier"
      ? callee.name
      : callee.type === "MemberExpression"
        ? propertyName(callee)
        : undefined;
  return name !== undefined && CALL_ONCE.has(name);
}
