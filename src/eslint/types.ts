/** What the rules ask the TypeScript compiler, if the lint is typed. */
import type { ParserServices, TSESLint, TSESTree } from "@typescript-eslint/utils";
import type * as ts from "typescript";
import { packageOf } from "./package-of.ts";

type SourceCode = Readonly<TSESLint.SourceCode>;

/** The flags of `ts.TypeFlags` for `any` and `unknown`. The values have not changed since TypeScript 3. */
const ANY_OR_UNKNOWN = 1 | 2;
/** `ts.SymbolFlags.Alias` */
const ALIAS = 2097152;

/** `ts.SymbolFlags.Optional` */
const OPTIONAL = 16777216;

/** Where a call could pass a signal. */
export interface SignalOption {
  /** The index of the parameter. */
  index: number;
  /** The property of that parameter. */
  option: "abortSignal" | "signal";
}

const CONTEXT_MEMBERS = ["deadline", "err", "signal", "value"];
const SIGNAL_MEMBERS = ["aborted", "reason", "throwIfAborted", "addEventListener"];

const known = new WeakMap<SourceCode, Types | undefined>();

/** Returns the types of a file, or `undefined` if the lint is not typed. */
export function typesOf(sourceCode: SourceCode): Types | undefined {
  if (!known.has(sourceCode)) {
    const services = sourceCode.parserServices;
    known.set(sourceCode, services?.program ? new Types(services as Typed) : undefined);
  }
  return known.get(sourceCode);
}

const programs = new WeakMap<ts.Program, boolean>();

type Typed = Extract<ParserServices, { program: ts.Program }>;

/**
 * The types of the expressions of one file. An answer of `undefined` means that the compiler does not
 * know: the type is `any` or `unknown`.
 */
export class Types {
  readonly #services: Typed;
  readonly checker: ts.TypeChecker;

  constructor(services: Typed) {
    this.#services = services;
    this.checker = services.program.getTypeChecker();
  }

  /** Whether the program contains eightysix. If not, no call of another module returns its contexts. */
  get knowsEightysix(): boolean {
    const { program } = this.#services;
    let knows = programs.get(program);
    if (knows === undefined) {
      knows = program.getSourceFiles().some(({ fileName }) => isContextModule(fileName));
      programs.set(program, knows);
    }
    return knows;
  }

  /** Returns the type of an expression, without `null` and `undefined`. */
  typeAt(node: TSESTree.Node): ts.Type {
    const type = this.checker.getTypeAtLocation(this.nodeOf(node));
    return this.checker.getNonNullableType(type);
  }

  nodeOf(node: TSESTree.Node): ts.Node {
    return this.#services.esTreeNodeToTSNodeMap.get(node);
  }

  /** Whether an expression is a context: an object with the four members of `Context`. */
  isContext(node: TSESTree.Node): boolean | undefined {
    return this.#has(node, CONTEXT_MEMBERS);
  }

  /** Whether an expression is a context that can be canceled. */
  isCancelable(node: TSESTree.Node): boolean | undefined {
    return this.#has(node, [...CONTEXT_MEMBERS, "cancel"]);
  }

  /** Whether an expression is an `AbortSignal`. */
  isSignal(node: TSESTree.Node): boolean | undefined {
    return this.#has(node, SIGNAL_MEMBERS);
  }

  /** Whether an expression is a promise or another thenable. */
  isThenable(node: TSESTree.Node): boolean | undefined {
    return this.#has(node, ["then"]);
  }

  /**
   * Whether an expression is a promise. A thenable of another kind does not count, because a query builder
   * may be lazy, and neither does `void | Promise<void>`.
   */
  isPromise(node: TSESTree.Node): boolean | undefined {
    const type = this.checker.getTypeAtLocation(this.nodeOf(node));
    if (this.isAnyOrUnknown(type)) return undefined;
    const parts = (type.isUnion() ? type.types : [type]).filter(
      (part) => !["null", "undefined"].includes(this.checker.typeToString(part)),
    );
    return parts.length > 0 && parts.every((part) => this.#isPromise(part));
  }

  #isPromise(type: ts.Type): boolean {
    const found = this.checker.getApparentType(type);
    if (found.isIntersection()) return found.types.some((part) => this.#isPromise(part));
    const name = found.getSymbol()?.name;
    if (name === "Promise" || name === "PromiseLike") return true;
    const target = (found as ts.TypeReference).target as ts.Type | undefined;
    const declared = target ?? found;
    if (!declared.isClassOrInterface()) return false;
    return this.checker.getBaseTypes(declared).some((base) => this.#isPromise(base));
  }

  #has(node: TSESTree.Node, members: readonly string[]): boolean | undefined {
    return hasMembers(this.typeAt(node), members);
  }

  /** Whether the compiler does not know what an expression is. */
  isUnknown(node: TSESTree.Node): boolean {
    return this.isAnyOrUnknown(this.typeAt(node));
  }

  /** Returns the first type argument of the type of an expression: `T` of `Key<T>`. */
  typeArgument(node: TSESTree.Node): ts.Type | undefined {
    const type = this.typeAt(node);
    const target = (type as ts.TypeReference).target as ts.Type | undefined;
    return target && this.checker.getTypeArguments(type as ts.TypeReference)[0];
  }

  /** Whether nothing is known about a type. */
  isAnyOrUnknown({ flags }: ts.Type): boolean {
    return (flags & ANY_OR_UNKNOWN) !== 0;
  }

  /** Whether an expression may be `null` or `undefined`. */
  isOptional(node: TSESTree.Node): boolean {
    const type = this.checker.getTypeAtLocation(this.nodeOf(node));
    return this.checker.getNonNullableType(type) !== type;
  }

  /** Whether an expression is an `AbortController`. */
  isController(node: TSESTree.Node): boolean {
    return this.#has(node, ["abort", "signal"]) === true && this.isSignalHolder(node);
  }

  /** Whether an expression has a property `signal` that is an `AbortSignal`. */
  isSignalHolder(node: TSESTree.Node): boolean {
    const type = this.#propertyAt(node, ["signal"]);
    return type !== undefined && this.isSignalType(type) === true;
  }

  /** Whether an expression has a context, and not an optional one, at that path of properties. */
  hasContextAt(node: TSESTree.Node, path: readonly string[]): boolean {
    const type = this.#propertyAt(node, path);
    return type !== undefined && hasMembers(type, CONTEXT_MEMBERS) === true;
  }

  /** Returns the type of a property of a property. */
  #propertyAt(node: TSESTree.Node, path: readonly string[]): ts.Type | undefined {
    let type: ts.Type | undefined = this.typeAt(node);
    for (const name of path) {
      const property: ts.Symbol | undefined = type?.getProperty(name);
      type = property && this.checker.getTypeOfSymbolAtLocation(property, this.nodeOf(node));
    }
    return type;
  }

  /** Whether a type is that of an `AbortSignal`. */
  isSignalType(type: ts.Type): boolean | undefined {
    return hasMembers(this.checker.getNonNullableType(type), SIGNAL_MEMBERS);
  }

  /** Whether a type is that of a context. */
  isContextType(type: ts.Type): boolean | undefined {
    return hasMembers(this.checker.getNonNullableType(type), CONTEXT_MEMBERS);
  }

  /** Whether a type is that of a context that can be canceled. */
  isCancelableType(type: ts.Type): boolean | undefined {
    return hasMembers(type, [...CONTEXT_MEMBERS, "cancel"]);
  }

  /**
   * Whether a method of an expression takes a context as its first parameter, in some overload.
   * `undefined` if the expression has no known type.
   */
  takesContextFirst(node: TSESTree.Node, method: string): boolean | undefined {
    const at = this.nodeOf(node);
    const type = this.typeAt(node);
    if ((type.flags & ANY_OR_UNKNOWN) !== 0) return undefined;
    const property = type.getProperty(method);
    if (property === undefined) return false;
    return this.checker
      .getTypeOfSymbolAtLocation(property, at)
      .getCallSignatures()
      .some((signature) => {
        const [first] = signature.getParameters();
        if (first === undefined) return false;
        return this.isContextType(this.checker.getTypeOfSymbolAtLocation(first, at)) === true;
      });
  }

  /**
   * Returns where a call could pass a signal: the index of the parameter that has an optional property
   * `signal` or `abortSignal`, if the function returns a promise or an asynchronous iterator.
   */
  signalOption(call: TSESTree.CallExpression): SignalOption | undefined {
    const signature = this.signatureOf(call);
    const at = this.nodeOf(call);
    if (signature === undefined || !isAsync(signature.getReturnType())) return undefined;
    const parameters = signature.getParameters();
    for (const [index, parameter] of parameters.entries()) {
      const type = this.checker.getTypeOfSymbolAtLocation(parameter, at);
      for (const option of ["signal", "abortSignal"] as const) {
        const property = this.checker.getNonNullableType(type).getProperty(option);
        if (property === undefined || (property.flags & OPTIONAL) === 0) continue;
        const inner = this.checker.getTypeOfSymbolAtLocation(property, at);
        if (this.isSignalType(inner) === true) return { index, option };
      }
    }
    return undefined;
  }

  /** Whether an expression is certainly an object without that property. */
  lacksProperty(node: TSESTree.Node, name: string): boolean {
    const type = this.typeAt(node);
    const parts = type.isUnion() ? type.types : [type];
    return parts.every(
      (part) =>
        part.getProperty(name) === undefined &&
        part.getStringIndexType() === undefined &&
        part.getProperties().length > 0,
    );
  }

  /** Whether an expression is a string or a `URL`, or either. */
  isUrl(node: TSESTree.Node): boolean {
    const type = this.typeAt(node);
    return (type.isUnion() ? type.types : [type]).every(
      (part) =>
        part.isStringLiteral() ||
        this.checker.typeToString(part) === "string" ||
        part.getProperty("searchParams") !== undefined,
    );
  }

  /** Whether an expression is an array or a tuple. */
  isArray(node: TSESTree.Node): boolean {
    const type = this.typeAt(node);
    return this.checker.isArrayType(type) || this.checker.isTupleType(type);
  }

  /** Returns the signature that a call uses. */
  signatureOf(call: TSESTree.CallExpression | TSESTree.NewExpression): ts.Signature | undefined {
    return this.checker.getResolvedSignature(this.nodeOf(call) as ts.CallExpression);
  }

  /** Returns what the overloads of a called function return, without a choice between them. */
  resultsOf({ callee }: TSESTree.CallExpression): ts.Type[] {
    return this.typeAt(callee)
      .getCallSignatures()
      .map((signature) => signature.getReturnType());
  }

  /** Returns the type of the parameter that takes the argument at `index`, without `null` and `undefined`. */
  parameterType(
    call: TSESTree.CallExpression | TSESTree.NewExpression,
    index: number,
  ): ts.Type | undefined {
    const found = this.#parameter(call, index);
    return found && this.checker.getNonNullableType(found.type);
  }

  /**
   * Whether code that is given a value of this type cannot end it: it has a member of a context, and
   * neither `cancel` nor `Symbol.dispose`.
   */
  cannotEnd(type: ts.Type): boolean {
    const parts = type.isUnion() ? type.types : [type];
    return parts.every(
      (part) =>
        CONTEXT_MEMBERS.some((name) => part.getProperty(name) !== undefined) &&
        part.getProperty("cancel") === undefined &&
        !part.getProperties().some(({ escapedName }) => isDisposeName(escapedName)),
    );
  }

  /** Whether a `switch` has a case for each value of a union of literals. */
  isExhaustive({ discriminant, cases }: TSESTree.SwitchStatement): boolean {
    const textAt = (type: ts.Type): string => this.checker.typeToString(type);
    const type = this.checker.getTypeAtLocation(this.nodeOf(discriminant));
    const covered = new Set(
      cases.map(({ test }) => test && textAt(this.checker.getTypeAtLocation(this.nodeOf(test)))),
    );
    return (type.isUnion() ? type.types : [type]).every(
      (part) =>
        (part.isLiteral() || /^(?:true|false|null|undefined)$/.test(textAt(part))) &&
        covered.has(textAt(part)),
    );
  }

  /**
   * Whether the parameter at `index` of what a call calls is a context that must be given. `undefined`
   * if its type is not known.
   */
  requiresContext(
    call: TSESTree.CallExpression | TSESTree.NewExpression,
    index: number,
  ): boolean | undefined {
    const found = this.#parameter(call, index);
    if (found === undefined) return undefined;
    const isContext = this.isContextType(found.type);
    if (isContext !== true) return isContext;
    // Not any `T` that happens to be a context here, as in `new Map<Context, string>().get(…)`.
    if (this.isContextType(found.declared) !== true) return false;
    const isNullable = this.checker.getNonNullableType(found.type) !== found.type;
    return !isNullable && !found.isOptional;
  }

  /** What is known about a parameter. An element of a rest parameter is a parameter, too. */
  #parameter(
    call: TSESTree.CallExpression | TSESTree.NewExpression,
    index: number,
  ): { type: ts.Type; declared: ts.Type; isOptional: boolean } | undefined {
    const all = this.signatureOf(call)?.getParameters() ?? [];
    const parameter = all[index] ?? all.at(-1);
    if (parameter === undefined) return undefined;
    const declaration = parameter.declarations?.[0] as ts.ParameterDeclaration | undefined;
    const type = this.checker.getTypeOfSymbolAtLocation(parameter, this.nodeOf(call));
    const declared = declaration ? this.checker.getTypeAtLocation(declaration) : type;
    if (declaration?.dotDotDotToken !== undefined) {
      const [element, ofAll] = [type.getNumberIndexType(), declared.getNumberIndexType()];
      return element && { type: element, declared: ofAll ?? element, isOptional: false };
    }
    if (index >= all.length) return undefined;
    const isOptional =
      declaration?.questionToken !== undefined || declaration?.initializer !== undefined;
    return { type, declared, isOptional };
  }

  /** Returns the name under which the package eightysix exports what an expression names. */
  exportName(node: TSESTree.Node): string | undefined {
    const last = node.type === "MemberExpression" ? node.property : node;
    let symbol = this.checker.getSymbolAtLocation(this.nodeOf(last));
    if (symbol && (symbol.flags & ALIAS) !== 0) symbol = this.checker.getAliasedSymbol(symbol);
    const file = symbol?.declarations?.[0]?.getSourceFile();
    if (symbol === undefined || file === undefined || !isOurs(file.fileName)) return undefined;
    const exported = this.checker.getSymbolAtLocation(file)?.exports?.get(symbol.escapedName);
    return exported === symbol ? symbol.name : undefined;
  }
}

/** Whether a property is that of `Symbol.dispose`, by the name that the compiler gives it. */
function isDisposeName(name: ts.__String): boolean {
  return /^__@(?:async)?dispose@/i.test(name as string);
}

/** Whether every type of a union has the members. `undefined` if the type is `any` or `unknown`. */
function hasMembers(type: ts.Type, members: readonly string[]): boolean | undefined {
  if ((type.flags & ANY_OR_UNKNOWN) !== 0) return undefined;
  const parts = type.isUnion() ? type.types : [type];
  return parts.every((part) => members.every((name) => part.getProperty(name) !== undefined));
}

/** Whether a file declares the type of contexts. */
function isContextModule(file: string): boolean {
  return /\/core\/context\.(?:d\.)?ts$/.test(file) && isOurs(file);
}

function isAsync(type: ts.Type): boolean {
  if (type.getProperty("then") !== undefined) return true;
  return type.getProperties().some(({ name }) => name.startsWith("__@asyncIterator"));
}

/** Whether a file belongs to the package eightysix, wherever it is installed or linked. */
function isOurs(file: string): boolean {
  return /\/(?:dist|src)\/(?!.*\/node_modules\/)/.test(file) && packageOf(file) === "eightysix";
}
