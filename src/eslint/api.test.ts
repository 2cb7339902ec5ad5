/** The table of names is true: every name exists, and returns or passes what the rules believe. */
import { expect, test } from "vitest";
import ts from "typescript";
import { fileURLToPath } from "node:url";
import { API, CANCELABLE, GIVES_CONTEXT, PLAIN, ROOTS } from "./api.ts";

const path = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
const source = (module: string): string =>
  path(module === "eightysix" ? "../index.ts" : `..${module.slice("eightysix".length)}/index.ts`);

const modules = Object.keys(API) as (keyof typeof API)[];
const { config } = ts.readConfigFile(path("../../tsconfig.json"), (file) =>
  ts.sys.readFile(file),
) as { config: { compilerOptions: object } };
const { options } = ts.parseJsonConfigFileContent(
  { ...config, include: [] },
  ts.sys,
  path("../../"),
);
const program = ts.createProgram(modules.map(source), { ...options, noEmit: true });
const checker = program.getTypeChecker();

/** The exported functions of a module, by name. */
function functionsOf(module: string): Map<string, readonly ts.Signature[]> {
  const file = program.getSourceFile(source(module));
  const symbol = file && checker.getSymbolAtLocation(file);
  if (file === undefined || symbol === undefined) throw new Error(`${module} is no module`);
  const exports = checker.getExportsOfModule(symbol).map((one) => {
    const type = checker.getTypeOfSymbolAtLocation(one, file);
    return [one.name, [...type.getCallSignatures()]] as const;
  });
  return new Map(exports.filter(([, signatures]) => signatures.length > 0));
}

const hasMembers = (type: ts.Type, ...names: string[]): boolean =>
  names.every((name) => type.getProperty(name) !== undefined);
const isContext = (type: ts.Type): boolean =>
  hasMembers(type, "deadline", "err", "signal", "value");

const all = modules.map((module) => [module, functionsOf(module)] as const);
const named = (test: (signature: ts.Signature) => boolean): string[] => {
  const names = all.flatMap(([, functions]) =>
    [...functions].filter(([, signatures]) => signatures.some(test)).map(([name]) => name),
  );
  return [...new Set(names)].sort();
};

test.each(all)("every name of the table is a function that %s exports", (module, functions) => {
  expect(API[module].filter((name) => !functions.has(name))).toEqual([]);
});

test("the functions that return a cancelable context are those of the table", () => {
  const found = named((signature) => {
    const type = signature.getReturnType();
    return isContext(type) && hasMembers(type, "cancel");
  });
  expect(found).toEqual([...CANCELABLE].sort());
});

test("the functions that return another context are those of the table", () => {
  const found = named((signature) => {
    const type = signature.getReturnType();
    return isContext(type) && !hasMembers(type, "cancel");
  });
  expect(found).toEqual([...PLAIN].sort());
});

test("the functions that return a context without a parent are those of the table", () => {
  const found = named(
    (signature) => isContext(signature.getReturnType()) && signature.parameters.length === 0,
  );
  expect(found).toEqual([...ROOTS].sort());
});

test("the functions that pass a context to a function that they take are those of the table", () => {
  /** Whether a function, or the functions in an array, take a context first. */
  const takesContext = (type: ts.Type): boolean => {
    const base = checker.getBaseConstraintOfType(type) ?? type;
    const element = checker.getIndexTypeOfType(base, ts.IndexKind.Number);
    if (element !== undefined && element !== base) return takesContext(element);
    return base.getCallSignatures().some(({ parameters: [first] }) => {
      if (first?.valueDeclaration === undefined) return false;
      return isContext(checker.getTypeOfSymbolAtLocation(first, first.valueDeclaration));
    });
  };
  const found = named(({ parameters }) =>
    parameters.some(
      (parameter) =>
        parameter.valueDeclaration !== undefined &&
        takesContext(checker.getTypeOfSymbolAtLocation(parameter, parameter.valueDeclaration)),
    ),
  );
  expect(found).toEqual([...GIVES_CONTEXT].sort());
});
