import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import { anySignalAtHand, type AtHand } from "../at-hand.ts";
import { createRule, type RuleContext } from "../create-rule.ts";
import { append } from "../edits.ts";
import { propertyName } from "../references.ts";
import { typesOf } from "../types.ts";
import { knownApi, typedApi, type Found } from "./forward-signal/find-api.ts";
import {
  getsIt,
  isDeliberate,
  isForOthers,
  isEndedByHand,
} from "./forward-signal/is-deliberate.ts";
import { placeForSignal, type Place } from "./forward-signal/options-of.ts";

type Messages = "missing" | "pass";
type Options = readonly [{ ignore?: readonly string[] }?];

/** Refuses calls without a signal, where one is at hand. */
export const forwardSignal = createRule<Messages, Options>({
  name: "forward-signal",
  meta: {
    type: "problem",
    docs: {
      description: "Refuses calls that could take a signal, and get none, although one is at hand.",
      configs: ["recommended", "signals"],
    },
    fixable: "code",
    hasSuggestions: true,
    messages: {
      missing:
        "`{{callee}}` gets no signal, so it goes on when `{{signal}}` aborts. Pass `{ {{property}} }`.",
      pass: "Pass `{ {{property}} }`.",
    },
    schema: [
      {
        type: "object",
        properties: { ignore: { type: "array", items: { type: "string" }, uniqueItems: true } },
        additionalProperties: false,
      },
    ],
    defaultOptions: [{ ignore: [] }],
  },
  create(context) {
    const ignored = new Set(context.options[0]?.ignore ?? []);
    return {
      CallExpression(node) {
        const known = knownApi(node, context);
        if (known === undefined && !isWorthTypes(node, context)) return;
        const at = anySignalAtHand(
          node,
          context,
          (candidate) =>
            !isForOthers(node, candidate, context) && (candidate.isGiven || !isTimer(known)),
        );
        if (at === undefined || getsIt(node, at, context)) return;
        const api = known ?? typedApi(node, context);
        if (api === undefined || isIgnored(api, ignored)) return;
        if (isDeliberate(node, api, context) || isEndedByHand(api, at, context)) return;
        if (isNotAwaited(node) && at.isGiven) return;
        const place = placeForSignal(node, api, context);
        if (place !== undefined) report(node, api, at, place, context);
      },
    };
  },
});

/**
 * Whether the types of a call that is not known by name are worth the time: something could wait for
 * what it returns.
 */
function isWorthTypes(
  { parent }: TSESTree.CallExpression,
  { sourceCode }: RuleContext<Messages, Options>,
): boolean {
  if (typesOf(sourceCode) === undefined) return false;
  if (parent.type === "MemberExpression")
    return /^(?:then|catch|finally)$/.test(propertyName(parent) ?? "");
  return !/^(?:Binary|If|Expression|Logical|Template|While)/.test(parent.type);
}

function isTimer(api: Found | undefined): boolean {
  return api?.name.startsWith("timers/") ?? false;
}

/** Whether the options name the function: by its name alone, or as "fs/promises.writeFile". */
function isIgnored({ name }: Found, ignored: ReadonlySet<string>): boolean {
  return ignored.has(name) || ignored.has(name.slice(name.lastIndexOf(".") + 1));
}

/** `void fetch(url)` and `fetch(url).catch(log)` are work that nothing waits for. */
function isNotAwaited(node: TSESTree.Node): boolean {
  const { parent } = node;
  if (parent?.type === "UnaryExpression") return parent.operator === "void";
  let at = node;
  while (
    at.parent?.type === "MemberExpression" &&
    /^(?:catch|then|finally)$/.test(propertyName(at.parent) ?? "") &&
    at.parent.parent.type === "CallExpression"
  )
    at = at.parent.parent;
  return at !== node && at.parent?.type === "ExpressionStatement";
}

function report(
  node: TSESTree.CallExpression,
  { option = "signal" }: Found,
  { text, isOnly, isGuess }: AtHand,
  place: Place,
  context: RuleContext<Messages, Options>,
): void {
  const property = text === option ? option : `${option}: ${text}`;
  const data = { callee: context.sourceCode.getText(node.callee), signal: text, property };
  const fix = (fixer: TSESLint.RuleFixer): TSESLint.RuleFix =>
    write(place, property, node, fixer, context);
  const isCertain = place.kind === "object" || (place.kind === "absent" && place.fill <= 1);
  if (isOnly && isCertain && !isGuess) context.report({ node, messageId: "missing", data, fix });
  else
    context.report({
      node,
      messageId: "missing",
      data,
      suggest: [{ messageId: "pass", data, fix }],
    });
}

function write(
  place: Place,
  property: string,
  call: TSESTree.CallExpression,
  fixer: TSESLint.RuleFixer,
  context: RuleContext<Messages, Options>,
): TSESLint.RuleFix {
  const { sourceCode } = context;
  switch (place.kind) {
    case "object":
      return append(place.node, property, fixer, context);
    case "elsewhere":
      return fixer.replaceText(place.node, `{ ...${sourceCode.getText(place.node)}, ${property} }`);
    case "encoding":
      return fixer.replaceText(
        place.node,
        `{ encoding: ${sourceCode.getText(place.node)}, ${property} }`,
      );
    case "absent": {
      const text = `${"undefined, ".repeat(place.fill)}{ ${property} }`;
      return place.before === undefined
        ? append(call, text, fixer, context)
        : fixer.insertTextBefore(place.before, `${text}, `);
    }
  }
}
