/** How fixes and suggestions change the source. */
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import type { RuleContext } from "./create-rule.ts";
import { referenceOf } from "./references.ts";

/** A name of the package, as the file can write it. */
export interface ImportedName {
  /** What to write: `withTimeout`, `e.withTimeout` or an alias of the file. */
  text: string;
  /** Imports the name, if the file does not do so yet. */
  add(fixer: TSESLint.RuleFixer): TSESLint.RuleFix[];
}

/** Returns how the file at hand can write an export of `module`, such as "eightysix". */
export function importedName(module: string, name: string, context: RuleContext): ImportedName {
  const { sourceCode } = context;
  const { body } = sourceCode.ast;
  for (const node of body) {
    if (node.type !== "ImportDeclaration" && node.type !== "VariableDeclaration") continue;
    for (const variable of sourceCode.getDeclaredVariables?.(node) ?? []) {
      const [identifier] = variable.identifiers;
      if (identifier === undefined) continue;
      const reference = referenceOf(identifier, sourceCode);
      if (reference?.module !== module) continue;
      if (reference.name === name) return { text: variable.name, add: () => [] };
      if (reference.name === undefined) return { text: `${variable.name}.${name}`, add: () => [] };
    }
  }
  const existing = body.find(
    (node): node is TSESTree.ImportDeclaration =>
      node.type === "ImportDeclaration" &&
      node.source.value === module &&
      node.importKind !== "type",
  );
  const last = existing?.specifiers.findLast(({ type }) => type === "ImportSpecifier");
  if (last !== undefined)
    return { text: name, add: (fixer) => [fixer.insertTextAfter(last, `, ${name}`)] };
  const isModule = sourceCode.ast.sourceType === "module";
  const line = isModule
    ? `import { ${name} } from "${module}";\n`
    : `const { ${name} } = require("${module}");\n`;
  const [first] = body;
  return {
    text: name,
    add: (fixer) => [
      first === undefined ? fixer.insertTextAfterRange([0, 0], line) : before(first, line, fixer),
    ],
  };
}

function before(
  node: TSESTree.ProgramStatement,
  line: string,
  fixer: TSESLint.RuleFixer,
): TSESLint.RuleFix {
  return node.type === "ExpressionStatement" && typeof node.directive === "string"
    ? fixer.insertTextAfter(node, `\n${line.trimEnd()}`)
    : fixer.insertTextBefore(node, line);
}

/** Inserts an argument in front of the others of a call. */
export function insertFirstArgument(
  call: TSESTree.CallExpression,
  text: string,
  fixer: TSESLint.RuleFixer,
  { sourceCode }: RuleContext,
): TSESLint.RuleFix {
  const callee = call.typeArguments ?? call.callee;
  const open = sourceCode.getTokenAfter(callee, ({ value }) => value === "(");
  if (open === null) throw new Error("a call without a parenthesis");
  return fixer.insertTextAfter(open, call.arguments.length === 0 ? text : `${text}, `);
}

/** Appends an argument to those of a call, or a property to those of an object. */
export function append(
  node: TSESTree.CallExpression | TSESTree.ObjectExpression,
  text: string,
  fixer: TSESLint.RuleFixer,
  { sourceCode }: RuleContext,
): TSESLint.RuleFix {
  const isEmpty = (node.type === "CallExpression" ? node.arguments : node.properties).length === 0;
  if (isEmpty && node.type === "ObjectExpression") return fixer.replaceText(node, `{ ${text} }`);
  const last = sourceCode.getLastToken(node, 1);
  if (last === null) throw new Error("a call or an object without a closing token");
  if (isEmpty) return fixer.insertTextAfter(last, text);
  return fixer.insertTextAfter(last, last.value === "," ? ` ${text}` : `, ${text}`);
}

/** Expressions after which `await` binds as written. */
const TIGHT: ReadonlySet<string> = new Set([
  ...["CallExpression", "Identifier", "ImportExpression", "MemberExpression", "NewExpression"],
  "TaggedTemplateExpression",
]);

/** Puts `await` in front of an expression, with parentheses where it needs them. */
export function awaitIt(node: TSESTree.Expression, fixer: TSESLint.RuleFixer): TSESLint.RuleFix[] {
  if (TIGHT.has(node.type)) return [fixer.insertTextBefore(node, "await ")];
  return [fixer.insertTextBefore(node, "await ("), fixer.insertTextAfter(node, ")")];
}
