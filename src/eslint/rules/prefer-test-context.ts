import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import { ROOTS } from "../api.ts";
import { createRule, type RuleContext } from "../create-rule.ts";
import { importedName } from "../edits.ts";
import { calledApi, propertyName, referenceOf, variableNamed } from "../references.ts";
import { runsWithin } from "../runs-within.ts";
import { functionAround, type FunctionNode } from "../source-tree.ts";

type Messages = "root" | "useTestContext";

/** Runners whose tests have a context of their own. */
const RUNNERS: ReadonlySet<string> = new Set(["node:test", "vitest"]);
/** Forms of a test that call its function with the object of the test: `test.only`, `it.skip`. */
const FORMS: ReadonlySet<string> = new Set(["concurrent", "fails", "only", "sequential", "skip"]);

/** Refuses `background()` in tests. */
export const preferTestContext = createRule<Messages>({
  name: "prefer-test-context",
  meta: {
    type: "suggestion",
    docs: {
      description: "Refuses `background()` and `todo()` in a test, which has a context of its own.",
      configs: ["strict"],
    },
    hasSuggestions: true,
    messages: {
      root: "Work with {{root}}() goes on when the test has ended or has timed out. Pass `testContext(t)`.",
      useTestContext: "Pass the context of the test.",
    },
    schema: [],
  },
  create(context) {
    return {
      CallExpression(node) {
        const { parent } = node;
        if (parent.type !== "CallExpression" || parent.callee === node) return;
        const root = calledApi(node, context);
        if (root === undefined || !ROOTS.has(root)) return;
        const test = testAround(node, context);
        if (test === undefined) return;
        const suggest = suggestion(node, test, context);
        const data = { root };
        context.report({
          node,
          messageId: "root",
          data,
          ...(suggest === undefined ? {} : { suggest: [suggest] }),
        });
      },
    };
  },
});

/** Returns the function of the test in which the code at `node` runs. */
function testAround(node: TSESTree.Node, context: RuleContext): FunctionNode | undefined {
  let fn = functionAround(node);
  while (fn !== undefined && !isTest(fn, context)) {
    if (!runsWithin(fn, context)) return undefined;
    fn = functionAround(fn);
  }
  return fn;
}

/** `test("…", fn)`, `it.only("…", fn)` of vitest or `node:test`. */
function isTest(fn: FunctionNode, context: RuleContext): boolean {
  const call = fn.parent;
  if (call.type !== "CallExpression" || call.callee === fn) return false;
  let { callee } = call;
  while (
    callee.type === "MemberExpression" &&
    FORMS.has(propertyName(callee) ?? "") &&
    !isRunner(callee, context)
  )
    callee = callee.object;
  return isRunner(callee, context);
}

/** Whether it is the function `test` of a runner. Jest's tests, and so the globals, have no context. */
function isRunner(callee: TSESTree.Expression, context: RuleContext): boolean {
  const reference = referenceOf(callee, context.sourceCode);
  return (
    reference !== undefined &&
    RUNNERS.has(reference.module) &&
    /^(?:default|it|test)$/.test(reference.name ?? "default")
  );
}

/** Replaces the root by `testContext(t)`, if the test has a simple parameter or none. */
function suggestion(
  node: TSESTree.CallExpression,
  test: FunctionNode,
  context: RuleContext<Messages>,
): TSESLint.ReportSuggestionArray<Messages>[number] | undefined {
  const { sourceCode } = context;
  const [first] = test.params;
  if (first !== undefined && first.type !== "Identifier") return undefined;
  const name = first?.name ?? "t";
  const visible = variableNamed(name, node, sourceCode);
  const isSame = visible?.identifiers[0] === first;
  if (first === undefined ? visible !== undefined : !isSame) return undefined;
  const imported = importedName("eightysix/testing", "testContext", context);
  return {
    messageId: "useTestContext",
    fix: (fixer) => [
      ...imported.add(fixer),
      ...(first === undefined ? addParameter(test, name, fixer, sourceCode) : []),
      fixer.replaceText(node, `${imported.text}(${name})`),
    ],
  };
}

function addParameter(
  fn: FunctionNode,
  name: string,
  fixer: TSESLint.RuleFixer,
  sourceCode: Readonly<TSESLint.SourceCode>,
): TSESLint.RuleFix[] {
  const open = sourceCode.getFirstToken(fn, ({ value }) => value === "(");
  return open === null ? [] : [fixer.insertTextAfter(open, name)];
}
