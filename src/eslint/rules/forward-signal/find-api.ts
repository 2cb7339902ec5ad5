/** Finds out whether a function takes a signal, by its name or by its type. */
import type { TSESTree } from "@typescript-eslint/utils";
import type { RuleContext } from "../../create-rule.ts";
import { isGlobal, propertyName, referenceOf, variableOf } from "../../references.ts";
import { FETCH, PROMISES, SIGNAL_APIS, SIGNAL_METHODS, type SignalApi } from "./signal-apis.ts";
import { typesOf } from "../../types.ts";

/** A function that takes a signal. */
export interface Found extends SignalApi {
  /** "fetch", "timers/promises.setTimeout", or the name of a function of the user's own. */
  name: string;
}

/** Returns what is known by name about the function that a call calls. */
export function knownApi(call: TSESTree.CallExpression, context: RuleContext): Found | undefined {
  const { callee } = call;
  if (isGlobal(callee, "fetch", context)) return { ...FETCH, name: "fetch" };
  const reference = referenceOf(callee, context.sourceCode);
  if (reference !== undefined) return exportOf(reference.module, reference.name ?? "default");
  if (callee.type !== "MemberExpression") return undefined;
  const method = propertyName(callee);
  if (method === undefined) return undefined;
  const object = referenceOf(callee.object, context.sourceCode);
  if (object?.name === "promises")
    return exportOf(PROMISES[withoutNode(object.module)] ?? "", method);
  if (object?.name === "scheduler") return exportOf(object.module, `scheduler.${method}`);
  return methodOf(callee, method, context);
}

function exportOf(module: string, name: string): Found | undefined {
  const plain = withoutNode(module);
  const exports = SIGNAL_APIS[plain];
  const api = exports && Object.hasOwn(exports, name) ? exports[name] : undefined;
  return api && { ...api, name: name === "default" ? plain : `${plain}.${name}` };
}

function withoutNode(module: string): string {
  return module.replace(/^node:/, "");
}

/** `openai.chat.completions.create` of `const openai = new OpenAI()` */
function methodOf(
  { object }: TSESTree.MemberExpression,
  method: string,
  context: RuleContext,
): Found | undefined {
  let root: TSESTree.Node = object;
  while (root.type === "MemberExpression") root = root.object;
  if (root.type !== "Identifier") return undefined;
  const definition = variableOf(root, context.sourceCode)?.defs[0];
  const init = definition?.node.type === "VariableDeclarator" ? definition.node.init : null;
  if (init?.type !== "NewExpression" && init?.type !== "CallExpression") return undefined;
  const maker = referenceOf(init.callee, context.sourceCode);
  if (maker === undefined) return undefined;
  const module = withoutNode(maker.module);
  const api = SIGNAL_METHODS[`${module}.${maker.name ?? "default"}`]?.[method];
  return api && { ...api, name: `${module}.${method}` };
}

/** Returns what the types say about the function that a call calls. */
export function typedApi(call: TSESTree.CallExpression, context: RuleContext): Found | undefined {
  const option = typesOf(context.sourceCode)?.signalOption(call);
  if (option === undefined) return undefined;
  const { callee } = call;
  const name = callee.type === "MemberExpression" ? propertyName(callee) : nameOf(callee);
  return { ...option, name: name ?? "" };
}

function nameOf(node: TSESTree.Node): string | undefined {
  return node.type === "Identifier" ? node.name : undefined;
}
