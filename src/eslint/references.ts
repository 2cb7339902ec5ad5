/** Finds out which export of eightysix an expression names, through aliases, namespaces and `require`. */
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import { API } from "./api.ts";
import type { Settings } from "./settings.ts";
import { isFunction, type FunctionNode } from "./source-tree.ts";
import { typesOf } from "./types.ts";

type SourceCode = Readonly<TSESLint.SourceCode>;
type Variable = TSESLint.Scope.Variable;

/** An export of a module: `{ module: "eightysix", name: "withCancel" }`. */
export interface Reference {
  module: string;
  /** `undefined` for the module itself, as `import * as e` names it. */
  name: string | undefined;
}

/** How many steps of `const a = b` are followed. */
const LONGEST_CHAIN = 8;

/**
 * Returns the name of the export of eightysix that `node` is, such as "withCancel", and `undefined` if
 * it is none. With types, it also follows exports of the user's own modules.
 */
export function apiName(
  node: TSESTree.Node,
  context: Readonly<TSESLint.RuleContext<string, readonly unknown[]>>,
): string | undefined {
  const { sourceCode } = context;
  const reference = referenceOf(node, sourceCode);
  if (reference?.name !== undefined && isOurs(reference.module, context.settings))
    return reference.name;
  // What is no import of the file is no export of a module, so the compiler need not be asked.
  if (reference === undefined || (node.type !== "Identifier" && node.type !== "MemberExpression"))
    return undefined;
  const name = typesOf(sourceCode)?.exportName(node);
  return name !== undefined && ALL_NAMES.has(name) ? name : undefined;
}

const ALL_NAMES: ReadonlySet<string> = new Set<string>(Object.values(API).flat());

/** Returns the name of the export of eightysix that `node`, a call, calls. */
export function calledApi(
  node: TSESTree.Node | null | undefined,
  context: Readonly<TSESLint.RuleContext<string, readonly unknown[]>>,
): string | undefined {
  return node?.type === "CallExpression" ? apiName(node.callee, context) : undefined;
}

/** Whether the file imports from eightysix, or from one of the modules in the settings. */
export function importsEightysix(
  context: Readonly<TSESLint.RuleContext<string, readonly unknown[]>>,
): boolean {
  return importsFrom(context, (module) => isOurs(module, context.settings));
}

const imports = new WeakMap<SourceCode, string[]>();

/** Whether the file imports or requires a module that `isWanted` accepts. */
export function importsFrom(
  { sourceCode }: Readonly<TSESLint.RuleContext<string, readonly unknown[]>>,
  isWanted: (module: string) => boolean,
): boolean {
  let modules = imports.get(sourceCode);
  if (modules === undefined) imports.set(sourceCode, (modules = modulesOf(sourceCode)));
  return modules.some(isWanted);
}

function modulesOf({ ast }: SourceCode): string[] {
  return ast.body.flatMap((node) => {
    if (node.type === "ImportDeclaration") return [node.source.value];
    if (node.type !== "VariableDeclaration") return [];
    return node.declarations.flatMap(({ init }) => {
      const isRequire =
        init?.type === "CallExpression" &&
        init.callee.type === "Identifier" &&
        init.callee.name === "require";
      const module = isRequire ? ofModule(init.arguments[0])?.module : undefined;
      return module === undefined ? [] : [module];
    });
  });
}

/** Whether `node` is the global of that name, such as `fetch`, or a property of `globalThis`. */
export function isGlobal(
  node: TSESTree.Node,
  name: string,
  { sourceCode }: Readonly<TSESLint.RuleContext<string, readonly unknown[]>>,
): boolean {
  if (node.type === "MemberExpression")
    return (
      propertyName(node) === name &&
      ["globalThis", "window", "self"].some((object) =>
        isGlobalIdentifier(node.object, object, sourceCode),
      )
    );
  return isGlobalIdentifier(node, name, sourceCode);
}

function isGlobalIdentifier(node: TSESTree.Node, name: string, sourceCode: SourceCode): boolean {
  if (node.type !== "Identifier" || node.name !== name) return false;
  return (variableOf(node, sourceCode)?.defs.length ?? 0) === 0;
}

/** Whether a module is an entry point of eightysix, or one that the settings name. */
export function isOurs(module: string, { eightysix }: Settings): boolean {
  if (module === "eightysix" || module.startsWith("eightysix/")) return true;
  return (eightysix?.modules ?? []).some((own) => module === own || module.endsWith(`/${own}`));
}

/** Returns the export of a module, any module, that `node` names. Works without types. */
export function referenceOf(node: TSESTree.Node, sourceCode: SourceCode): Reference | undefined {
  return follow(node, sourceCode, LONGEST_CHAIN);
}

function follow(node: TSESTree.Node, sourceCode: SourceCode, left: number): Reference | undefined {
  if (left === 0) return undefined;
  switch (node.type) {
    case "Identifier": {
      const variable = variableOf(node, sourceCode);
      return variable && ofVariable(variable, sourceCode, left - 1);
    }
    case "MemberExpression": {
      const property = propertyName(node);
      const object = follow(node.object, sourceCode, left - 1);
      return property === undefined ? undefined : member(object, property);
    }
    case "AwaitExpression":
    case "ChainExpression":
    case "TSAsExpression":
    case "TSNonNullExpression":
    case "TSSatisfiesExpression":
    case "TSTypeAssertion":
      return follow(
        node.type === "AwaitExpression" ? node.argument : node.expression,
        sourceCode,
        left - 1,
      );
    case "SequenceExpression": {
      // `(0, e.todo)()`, as compilers write the call of an import
      const last = node.expressions.at(-1);
      return last && follow(last, sourceCode, left - 1);
    }
    case "ImportExpression":
      return ofModule(node.source);
    case "CallExpression":
      if (node.callee.type !== "Identifier" || node.callee.name !== "require") return undefined;
      return ofModule(node.arguments[0]);
    default:
      return undefined;
  }
}

function ofModule(source: TSESTree.Node | undefined): Reference | undefined {
  if (source?.type !== "Literal" || typeof source.value !== "string") return undefined;
  return { module: source.value, name: undefined };
}

/** The member of a module, or of its default export, which CommonJS modules have. */
function member(object: Reference | undefined, name: string): Reference | undefined {
  if (object === undefined || (object.name !== undefined && object.name !== "default"))
    return undefined;
  return { module: object.module, name };
}

function ofVariable(
  variable: Variable,
  sourceCode: SourceCode,
  left: number,
): Reference | undefined {
  const [definition] = variable.defs;
  if (definition === undefined || variable.defs.length > 1) return undefined;
  const { node, parent } = definition;
  switch (node.type) {
    case "ImportSpecifier": {
      const { imported } = node;
      return {
        module: (parent as TSESTree.ImportDeclaration).source.value,
        name: imported.type === "Identifier" ? imported.name : imported.value,
      };
    }
    case "ImportDefaultSpecifier":
      return { module: (parent as TSESTree.ImportDeclaration).source.value, name: "default" };
    case "ImportNamespaceSpecifier":
      return { module: (parent as TSESTree.ImportDeclaration).source.value, name: undefined };
    case "TSImportEqualsDeclaration":
      return node.moduleReference.type === "TSExternalModuleReference"
        ? ofModule(node.moduleReference.expression)
        : undefined;
    case "VariableDeclarator": {
      if (node.init === null || isReassigned(variable)) return undefined;
      const init = follow(node.init, sourceCode, left);
      if (node.id.type === "Identifier") return init;
      if (node.id.type !== "ObjectPattern") return undefined;
      const bound = node.id.properties.find(
        (property) =>
          property.type === "Property" &&
          (property.value === definition.name ||
            (property.value.type === "AssignmentPattern" &&
              property.value.left === definition.name)),
      );
      if (bound?.type !== "Property") return undefined;
      const name = keyName(bound.key, bound.computed);
      return name === undefined ? undefined : member(init, name);
    }
    default:
      return undefined;
  }
}

/** Whether anything but the declaration writes the variable. */
export function isReassigned(variable: Variable): boolean {
  return variable.references.some((reference) => reference.isWrite() && !reference.init);
}

/** Returns the variable that an identifier refers to, if the file declares it. */
export function variableOf(
  node: TSESTree.Identifier | TSESTree.JSXIdentifier,
  sourceCode: SourceCode,
): Variable | undefined {
  return variableNamed(node.name, node, sourceCode);
}

/** Returns the variable that code at `node` would refer to by that name. */
export function variableNamed(
  name: string,
  node: TSESTree.Node,
  sourceCode: SourceCode,
): Variable | undefined {
  let scope: TSESLint.Scope.Scope | null = sourceCode.getScope(node);
  while (scope !== null) {
    const variable = scope.set.get(name);
    if (variable !== undefined) return variable;
    scope = scope.upper;
  }
  return undefined;
}

/** Returns the function that a variable is, if the file declares it once and for all. */
export function functionOf(variable: Variable): FunctionNode | undefined {
  const [definition] = variable.defs;
  if (definition === undefined || variable.defs.length !== 1 || isReassigned(variable))
    return undefined;
  const { node, name } = definition;
  if (node.type === "VariableDeclarator")
    return node.id === name && node.init !== null && isFunction(node.init) ? node.init : undefined;
  // The definition of a parameter has the node of its function.
  return definition.type === "FunctionName" && isFunction(node) ? node : undefined;
}

/** Returns the name of the property that `a.b`, `a["b"]` and `a?.b` read. */
export function propertyName(node: TSESTree.MemberExpression): string | undefined {
  return keyName(node.property, node.computed);
}

/** Returns the name of a key of an object or a class, if it can be read from the source. */
export function keyName(key: TSESTree.Node, computed: boolean): string | undefined {
  if (!computed && key.type === "Identifier") return key.name;
  return key.type === "Literal" && typeof key.value === "string" ? key.value : undefined;
}
