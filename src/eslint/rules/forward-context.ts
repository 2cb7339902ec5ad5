import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import { contextAtHand, type AtHand } from "../at-hand.ts";
import { createRule, type RuleContext } from "../create-rule.ts";
import { hasTwinMethod, twinOf } from "./forward-context/drivers.ts";
import { awaitIt, insertFirstArgument } from "../edits.ts";
import { propertyName, variableOf } from "../references.ts";
import { ancestorsOf, contains, isCleanup } from "../source-tree.ts";
import { lacksContext } from "./forward-context/missing.ts";
import { returnedPromise, type ReturnedPromise } from "./forward-context/returned.ts";
import { passedRoot } from "./forward-context/roots.ts";

type Messages =
  | "awaitIt"
  | "body"
  | "makeAsync"
  | "missing"
  | "pass"
  | "returned"
  | "root"
  | "sql"
  | "twin"
  | "useTwin";

/** Refuses calls that lose the context at hand. */
export const forwardContext = createRule<Messages>({
  name: "forward-context",
  meta: {
    type: "problem",
    docs: {
      description:
        "Refuses calls that do not get the context at hand, and promises that outlive it.",
      configs: ["recommended"],
    },
    fixable: "code",
    hasSuggestions: true,
    messages: {
      root: "This call gets {{root}}() although `{{ctx}}` is at hand, so it goes on when `{{ctx}}` ends. Pass `{{ctx}}`. If the call must go on, pass `withoutCancel({{ctx}})`.",
      missing: "This function takes a context as its first parameter. Pass `{{ctx}}`.",
      twin: "`{{driver}}.{{method}}` goes on when `{{ctx}}` ends. Call `{{db}}.{{method}}({{ctx}}, …)`.",
      sql: "This query goes on when `{{ctx}}` ends. Pass it to `{{db}}.query({{ctx}}, …)`.",
      returned:
        "The function returns this promise without awaiting it, and `{{ctx}}` ends as it returns. Write `return await`.",
      body: "The function returns this response before its body is read, and `{{ctx}}` ends as it returns, which ends the body. Read the body here, and return what it contains.",
      pass: "Pass `{{ctx}}`.",
      useTwin: "Call `{{db}}` with `{{ctx}}`.",
      awaitIt: "Await the promise.",
      makeAsync: "Make the function async, and await the promise.",
    },
    schema: [],
  },
  create(context) {
    return {
      CallExpression(node) {
        const passed = passedRoot(node, context);
        if (passed !== undefined) {
          reportRoot(node, passed, context);
          return;
        }
        if (reportTwin(node, context) || !lacksContext(node, context) || isCleanup(node)) return;
        const ctx = contextAtHand(node, context);
        if (ctx !== undefined) reportMissing(node, ctx, context);
      },
      "AwaitExpression > TaggedTemplateExpression"(node: TSESTree.TaggedTemplateExpression) {
        reportSql(node, context);
      },
      ReturnStatement(node) {
        const returned = returnedPromise(node, context);
        if (returned !== undefined) reportReturned(returned, context);
      },
    };
  },
});

function reportRoot(
  node: TSESTree.CallExpression,
  { root, ctx }: { root: string; ctx: AtHand },
  context: RuleContext<Messages>,
): void {
  const data = { root, ctx: ctx.text };
  const fix = (fixer: TSESLint.RuleFixer): TSESLint.RuleFix => fixer.replaceText(node, ctx.text);
  // A `background()` may be what its author wants. A `todo()` is not.
  if (root === "todo" && ctx.isOnly) context.report({ node, messageId: "root", data, fix });
  else
    context.report({ node, messageId: "root", data, suggest: [{ messageId: "pass", data, fix }] });
}

function reportMissing(
  node: TSESTree.CallExpression,
  { text, isOnly }: AtHand,
  context: RuleContext<Messages>,
): void {
  const data = { ctx: text };
  const fix = (fixer: TSESLint.RuleFixer): TSESLint.RuleFix =>
    insertFirstArgument(node, text, fixer, context);
  if (isOnly) context.report({ node, messageId: "missing", data, fix });
  else
    context.report({
      node,
      messageId: "missing",
      data,
      suggest: [{ messageId: "pass", data, fix }],
    });
}

/** Reports `pool.query("…")` where `db.query(ctx, "…")` would do. Returns whether it did. */
function reportTwin(node: TSESTree.CallExpression, context: RuleContext<Messages>): boolean {
  const { callee } = node;
  if (callee.type !== "MemberExpression" || callee.object.type !== "Identifier") return false;
  const method = propertyName(callee);
  const driver = variableOf(callee.object, context.sourceCode);
  if (method === undefined || driver === undefined) return false;
  // The twin returns a promise, and takes no callback.
  if (node.arguments.some(({ type }) => type.includes("Function"))) return false;
  const twin = twinOf(driver, callee.object, context);
  if (twin === undefined || !hasTwinMethod(twin, method, context) || isCleanup(node)) return false;
  const ctx = contextAtHand(node, context);
  if (ctx === undefined) return false;
  const db = twin.variable.name;
  const data = { driver: driver.name, method, db, ctx: ctx.text };
  context.report({
    node,
    messageId: "twin",
    data,
    suggest: [
      {
        messageId: "useTwin",
        data,
        fix: (fixer) => [
          fixer.replaceText(callee.object, db),
          insertFirstArgument(node, ctx.text, fixer, context),
        ],
      },
    ],
  });
  return true;
}

/** Reports a query of postgres.js that is awaited by itself. */
function reportSql(node: TSESTree.TaggedTemplateExpression, context: RuleContext<Messages>): void {
  const { tag } = node;
  if (tag.type !== "Identifier") return;
  const sql = variableOf(tag, context.sourceCode);
  const twin = sql && twinOf(sql, tag, context);
  if (twin?.module !== "eightysix/postgres" || isCleanup(node)) return;
  const ctx = contextAtHand(node, context);
  if (ctx === undefined) return;
  const data = { db: twin.variable.name, ctx: ctx.text };
  context.report({
    node,
    messageId: "sql",
    data,
    suggest: [
      {
        messageId: "useTwin",
        data,
        fix: (fixer) => [
          fixer.insertTextBefore(node, `${data.db}.query(${data.ctx}, `),
          fixer.insertTextAfter(node, ")"),
        ],
      },
    ],
  });
}

function reportReturned(
  { argument, ctx, fn, isBody }: ReturnedPromise,
  context: RuleContext<Messages>,
): void {
  const data = { ctx: ctx.name };
  if (isBody) {
    context.report({ node: argument, messageId: "body", data });
    return;
  }
  const fix = (fixer: TSESLint.RuleFixer): TSESLint.RuleFix[] => awaitIt(argument, fixer);
  const report = { node: argument, messageId: "returned", data } as const;
  if (fn.async) {
    // With `await`, a `catch` of the function catches the rejection.
    if (isCaught(argument, fn))
      context.report({ ...report, suggest: [{ messageId: "awaitIt", data, fix }] });
    else context.report({ ...report, fix });
    return;
  }
  const canBeAsync = !hasOwnKind(fn) && returnsPromiseByName(fn);
  const makeAsync = (fixer: TSESLint.RuleFixer): TSESLint.RuleFix[] => [
    fixer.insertTextBefore(isMethod(fn) ? fn.parent.key : fn, "async "),
    ...fix(fixer),
  ];
  context.report({
    ...report,
    ...(canBeAsync ? { suggest: [{ messageId: "makeAsync", data, fix: makeAsync }] } : {}),
  });
}

type Fn = ReturnedPromise["fn"];
type Method = Fn & { parent: TSESTree.MethodDefinition | TSESTree.Property };

function isCaught(node: TSESTree.Node, fn: Fn): boolean {
  const around = ancestorsOf(node);
  return around
    .slice(0, around.indexOf(fn))
    .some((at) => at.type === "TryStatement" && at.handler !== null && contains(at.block, node));
}

/** Whether it is a method, whose `async` stands before its name. */
function isMethod(fn: Fn): fn is Method {
  const { parent } = fn;
  return parent.type === "MethodDefinition" || (parent.type === "Property" && parent.method);
}

/** Whether it is a constructor, a getter or a setter, or a method whose name needs more care. */
function hasOwnKind(fn: Fn): boolean {
  const { parent } = fn;
  if (parent.type !== "MethodDefinition" && parent.type !== "Property") return false;
  return (isMethod(fn) && fn.parent.computed) || !/^(?:init|method)$/.test(parent.kind);
}

/** Whether the type that the function declares to return, if it does, is that of an async function. */
function returnsPromiseByName({ returnType }: Fn): boolean {
  const type = returnType?.typeAnnotation;
  if (type === undefined) return true;
  return (
    type.type === "TSTypeReference" &&
    type.typeName.type === "Identifier" &&
    type.typeName.name === "Promise"
  );
}
