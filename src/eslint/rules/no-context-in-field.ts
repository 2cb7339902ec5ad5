import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import { isCancelable, isContext } from "../contexts.ts";
import { createRule, type RuleContext } from "../create-rule.ts";
import { isContextAnnotation } from "../ownership.ts";
import { calledApi, keyName } from "../references.ts";
import { typesOf } from "../types.ts";

type Messages = "field" | "property" | "module";

/** Refuses a context in a field, an option or a variable of the module. Go: containedctx. */
export const noContextInField = createRule<Messages>({
  name: "no-context-in-field",
  meta: {
    type: "suggestion",
    docs: {
      description:
        "Refuses a context that is stored in a field, an option or a variable of a module.",
      configs: ["strict"],
    },
    messages: {
      field:
        "`{{name}}` keeps a context beyond the call that it belongs to. Pass the context to each method, as its first parameter.",
      property:
        "`{{name}}` passes a context inside an object. Pass the context to each function, as its first parameter.",
      module:
        "`{{name}}` keeps one context for all calls of the module's functions. Pass the context to each function, as its first parameter.",
    },
    schema: [],
  },
  create(context) {
    const check = (
      node: TSESTree.Node,
      name: string | undefined,
      messageId: Messages,
      isStored: boolean,
    ): void => {
      // The parent of a new context is its parameter. A context that can be canceled has an owner.
      if (isStored && name !== undefined && name !== "parent")
        context.report({ node, messageId, data: { name } });
    };
    const field = (node: TSESTree.PropertyDefinition | TSESTree.AccessorProperty): void => {
      if (node.declare) return;
      const annotation = node.typeAnnotation?.typeAnnotation;
      check(node, nameOf(node), "field", holds(annotation, node.value, context));
    };
    return {
      PropertyDefinition: field,
      AccessorProperty: field,
      TSParameterProperty({ parameter }) {
        const name = parameter.type === "AssignmentPattern" ? parameter.left : parameter;
        if (name.type !== "Identifier") return;
        const value = parameter.type === "AssignmentPattern" ? parameter.right : null;
        check(
          parameter,
          name.name,
          "field",
          holds(name.typeAnnotation?.typeAnnotation, value, context),
        );
      },
      // JavaScript needs no declaration.
      "AssignmentExpression[operator='='] > MemberExpression.left > ThisExpression.object"(
        object: TSESTree.ThisExpression,
      ) {
        const left = object.parent as TSESTree.MemberExpression;
        const { right } = left.parent as TSESTree.AssignmentExpression;
        const name = memberName(left);
        if (name === undefined || !mayBeContextValue(right) || isTypedField(left, name)) return;
        check(left, name, "field", holds(undefined, right, context));
      },
      TSPropertySignature(node) {
        // A declaration of another module's objects, such as Express' Request, describes what is there.
        if (isInDeclaredModule(node)) return;
        const annotation = node.typeAnnotation?.typeAnnotation;
        check(node, nameOf(node), "property", holds(annotation, null, context));
      },
      "Program > VariableDeclaration, ExportNamedDeclaration > VariableDeclaration"(
        declaration: TSESTree.VariableDeclaration,
      ) {
        if (declaration.declare) return;
        const isExported = declaration.parent.type === "ExportNamedDeclaration";
        for (const declarator of declaration.declarations) {
          const { id, init } = declarator;
          if (id.type !== "Identifier") continue;
          // background() has no request: it is the same for all calls.
          const api = calledApi(init, context);
          if (declaration.kind === "const" && (api === "background" || api === "todo")) continue;
          const [variable] = context.sourceCode.getDeclaredVariables(declarator);
          if (!isExported && (variable === undefined || !isUsedInFunction(variable))) continue;
          check(id, id.name, "module", holds(id.typeAnnotation?.typeAnnotation, init, context));
        }
      },
    };
  },
});

/** Whether a field, by its type or by its first value, holds a context that its holder cannot cancel. */
function holds(
  annotation: TSESTree.TypeNode | undefined,
  value: TSESTree.Expression | null | undefined,
  context: RuleContext,
): boolean {
  if (annotation !== undefined) {
    const types = typesOf(context.sourceCode);
    if (types === undefined) return isContextAnnotation(annotation, context);
    if (!mayBeContext(annotation)) return false;
    return types.isContext(annotation) === true && types.isCancelable(annotation) === false;
  }
  return (
    !!value &&
    mayBeContextValue(value) &&
    isContext(value, context) &&
    !isCancelable(value, context)
  );
}

/** Types whose name is that of something else need no question to the compiler. */
function mayBeContext({ type }: TSESTree.TypeNode): boolean {
  return type === "TSTypeReference" || type === "TSUnionType" || type === "TSIntersectionType";
}

function mayBeContextValue({ type }: TSESTree.Expression): boolean {
  return !/^(?:Literal|TemplateLiteral|ArrayExpression|ObjectExpression|ClassExpression|.*Function.*)$/.test(
    type,
  );
}

function nameOf({
  key,
  computed,
}: TSESTree.PropertyDefinition | TSESTree.AccessorProperty | TSESTree.TSPropertySignature):
  string | undefined {
  return key.type === "PrivateIdentifier" ? `#${key.name}` : keyName(key, computed);
}

function memberName({ property, computed }: TSESTree.MemberExpression): string | undefined {
  return property.type === "PrivateIdentifier" ? `#${property.name}` : keyName(property, computed);
}

/** Whether the class declares a field with a type or a first value. The declaration is then checked. */
function isTypedField(node: TSESTree.Node, name: string): boolean {
  let body: TSESTree.Node | undefined = node;
  while (body && body.type !== "ClassBody") body = body.parent;
  return (body?.body ?? []).some(
    (member) =>
      (member.type === "PropertyDefinition" &&
        nameOf(member) === name &&
        (member.typeAnnotation !== undefined || member.value !== null)) ||
      (member.type === "MethodDefinition" &&
        member.kind === "constructor" &&
        hasProperty(member, name)),
  );
}

/** Whether a parameter of the constructor declares the field. */
function hasProperty({ value }: TSESTree.MethodDefinition, name: string): boolean {
  return value.params.some(
    (one) =>
      one.type === "TSParameterProperty" &&
      one.parameter.type === "Identifier" &&
      one.parameter.name === name,
  );
}

function isInDeclaredModule(node: TSESTree.Node): boolean {
  for (let at: TSESTree.Node | undefined = node; at; at = at.parent)
    if (at.type === "TSModuleDeclaration") return true;
  return false;
}

function isUsedInFunction({ references, scope }: TSESLint.Scope.Variable): boolean {
  return references.some(({ from }) => from.variableScope !== scope.variableScope);
}
