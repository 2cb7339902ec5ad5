import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import { isCredential } from "./typed-keys/credential.ts";
import { createRule, type RuleContext } from "../create-rule.ts";
import { calledApi, keyName, propertyName } from "../references.ts";
import { typesOf } from "../types.ts";
import { functionAround } from "../source-tree.ts";
import { isCast } from "../walk.ts";

type Options = [{ options?: boolean }?];

/** Refuses keys that no code can read, that have no type, or that show a credential in logs. */
export const typedKeys = createRule<
  "lost" | "lostRead" | "unread" | "unset" | "untyped" | "options" | "secret" | "addSecret",
  Options
>({
  name: "typed-keys",
  meta: {
    type: "problem",
    docs: {
      description:
        "Refuses keys that no code can read, keys without a type, and credentials that logs would show.",
      configs: ["recommended"],
      strict: { options: true },
    },
    messages: {
      lost: "This key is a new one each time, so no code can read the value. Keep the key in a constant of a module: `const K = key<T>(name)`.",
      lostRead:
        "This key is a new one each time, so the read can never find a value. Keep the key in a constant of a module: `const K = key<T>(name)`.",
      unread:
        "`{{name}}` is a new key in each call of this function, and only sets values, so no code can read them. Keep the key in a constant of a module.",
      unset:
        "`{{name}}` is a new key in each call of this function, and nothing sets its value, so this read can never find one. Keep the key in a constant of a module.",
      untyped:
        "The values of this key have no type. Write `key<T>(name)` with the type of the values.",
      options:
        "Values of a context are data of the request. Pass functions and options as parameters.",
      secret:
        "Logs show the values of this key, which looks like a credential. Add `{ secret: true }`, or `{ secret: false }` if it is none.",
      addSecret: "Add `secret: true`.",
    },
    hasSuggestions: true,
    schema: [
      {
        type: "object",
        properties: { options: { type: "boolean" } },
        additionalProperties: false,
      },
    ],
    defaultOptions: [{ options: false }],
  },
  create(context) {
    const [{ options = false } = {}] = context.options;
    return {
      CallExpression(node) {
        if (node.arguments.length === 0 || calledApi(node, context) !== "key") return;
        checkPlace(node, context);
        if (isUntyped(node, context)) context.report({ node, messageId: "untyped" });
        else if (options && holdsOptions(node, context))
          context.report({ node, messageId: "options" });
        checkSecret(node, context);
      },
    };
  },
});

type Context = RuleContext<
  "lost" | "lostRead" | "unread" | "unset" | "untyped" | "options" | "secret" | "addSecret",
  Options
>;

/** Reports a key that is created where it is used, or in a function that only sets or only reads it. */
function checkPlace(node: TSESTree.CallExpression, context: Context): void {
  let at: TSESTree.Node = node;
  while (at.parent && isCast(at.parent)) at = at.parent;
  const use = useOf(at, context);
  if (use !== undefined) {
    context.report({ node, messageId: use === "read" ? "lostRead" : "lost" });
    return;
  }
  const { parent } = at;
  if (parent?.type !== "VariableDeclarator" || parent.id.type !== "Identifier") return;
  if (functionAround(parent) === undefined) return;
  const { name } = parent.id;
  const [variable] = context.sourceCode.getDeclaredVariables?.(parent) ?? [];
  const uses = (variable?.references ?? [])
    .filter(({ init }) => init !== true)
    .map(({ identifier }) => useOf(identifier, context));
  if (uses.length === 0) return;
  if (uses.every((use) => use === "set"))
    context.report({ node, messageId: "unread", data: { name } });
  if (uses.every((use) => use === "read"))
    context.report({ node, messageId: "unset", data: { name } });
}

/** Whether a key sets the value of a context, or reads it. `undefined` if it does anything else. */
function useOf(key: TSESTree.Node, context: Context): "set" | "read" | undefined {
  const call = key.parent;
  if (call?.type !== "CallExpression") return undefined;
  if (call.arguments[1] === key && calledApi(call, context) === "withValue") return "set";
  const isRead =
    call.arguments.length === 1 &&
    call.arguments[0] === key &&
    call.callee.type === "MemberExpression" &&
    propertyName(call.callee) === "value";
  return isRead ? "read" : undefined;
}

/** Whether the type of the values is `any`, or `unknown` because it is not written. */
function isUntyped(node: TSESTree.CallExpression, context: Context): boolean {
  if (!/\.[mc]?tsx?$/.test(context.filename)) return false;
  const written = node.typeArguments?.params[0];
  if (written !== undefined) return written.type === "TSAnyKeyword";
  const types = typesOf(context.sourceCode);
  if (types !== undefined) {
    const type = types.typeArgument(node);
    return type !== undefined && types.isAnyOrUnknown(type);
  }
  const options = optionsOf(node);
  if (options === undefined || options.some(({ name }) => name === "default")) return false;
  // The type of a variable or a property would be that of the key.
  const { parent } = node;
  if (parent.type === "VariableDeclarator") return parent.id.typeAnnotation === undefined;
  return parent.type === "PropertyDefinition" && parent.typeAnnotation === undefined;
}

type Known = { name: string; value: TSESTree.Node };

/** Returns the options of a call of `key`, or `undefined` if they can't be read from the source. */
function optionsOf({ arguments: [, options] }: TSESTree.CallExpression): Known[] | undefined {
  if (options === undefined) return [];
  if (options.type !== "ObjectExpression") return undefined;
  const found: Known[] = [];
  for (const property of options.properties) {
    if (property.type !== "Property") return undefined;
    const name = keyName(property.key, property.computed);
    if (name === undefined) return undefined;
    found.push({ name, value: property.value });
  }
  return found;
}

/** Whether the values are functions, or have a type that is called Options or Config. */
function holdsOptions(node: TSESTree.CallExpression, context: Context): boolean {
  const written = node.typeArguments?.params[0];
  if (written?.type === "TSFunctionType") return true;
  if (written?.type === "TSTypeReference") {
    const { typeName } = written;
    const name = typeName.type === "TSQualifiedName" ? typeName.right : typeName;
    if (name.type === "Identifier" && /(?:Options|Config|Configuration|Settings)$/.test(name.name))
      return true;
  }
  const type = typesOf(context.sourceCode)?.typeArgument(node);
  return (
    type !== undefined && type.getCallSignatures().length > 0 && type.getProperties().length === 0
  );
}

/** Reports a key that is called like a credential and does not say whether it is secret. */
function checkSecret(node: TSESTree.CallExpression, context: Context): void {
  const [name, options] = node.arguments;
  if (name?.type !== "Literal" || typeof name.value !== "string") return;
  if (!isCredential(name.value) || isHarmless(node.typeArguments?.params[0])) return;
  const given = optionsOf(node);
  if (given === undefined || given.some((option) => option.name === "secret")) return;
  context.report({
    node,
    messageId: "secret",
    suggest: [{ messageId: "addSecret", fix: (fixer) => addSecret(fixer, name, options) }],
  });
}

function addSecret(
  fixer: TSESLint.RuleFixer,
  name: TSESTree.Node,
  options: TSESTree.Node | undefined,
): TSESLint.RuleFix {
  if (options?.type !== "ObjectExpression")
    return fixer.insertTextAfter(name, ", { secret: true }");
  const last = options.properties.at(-1);
  return last === undefined
    ? fixer.replaceText(options, "{ secret: true }")
    : fixer.insertTextAfter(last, ", secret: true");
}

/** Whether the values are flags or numbers, such as "must the password be changed". */
function isHarmless(type: TSESTree.TypeNode | undefined): boolean {
  return type?.type === "TSBooleanKeyword" || type?.type === "TSNumberKeyword";
}
