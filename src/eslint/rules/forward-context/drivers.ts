/** Drivers and what `withContext(driver)` made of them, in one file. */
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import type { RuleContext } from "../../create-rule.ts";
import { isReassigned, referenceOf, variableNamed } from "../../references.ts";
import { typesOf } from "../../types.ts";

type Variable = TSESLint.Scope.Variable;

const SQL = ["execute", "query"];
const REDIS = [
  ...["blpop", "brpop", "bLPop", "bRPop", "decr", "del", "eval", "exists", "expire", "get"],
  ...["getDel", "getdel", "hDel", "hGet", "hGetAll", "hSet", "hdel", "hget", "hgetall", "hset"],
  ...["incr", "lPop", "lPush", "lRange", "lpop", "lpush", "lrange", "mGet", "mSet", "mget"],
  ...["mset", "publish", "rPop", "rPush", "rpop", "rpush", "sAdd", "sMembers", "sRem", "sadd"],
  ...["set", "setEx", "setex", "smembers", "srem", "ttl", "xAdd", "xRead", "xadd", "xread"],
  ...["zAdd", "zRange", "zadd", "zrange"],
];

/** The methods of drivers that have a twin with a context first, by entry point, for untyped files. */
const TWINS: Record<string, ReadonlySet<string>> = {
  "eightysix/pg": new Set(["query"]),
  "eightysix/mysql2": new Set(SQL),
  "eightysix/mariadb": new Set([...SQL, "batch"]),
  "eightysix/redis": new Set(REDIS),
  "eightysix/ioredis": new Set(REDIS),
  "eightysix/mongodb": new Set(["aggregate", "command", "distinct", "find", "findOne"]),
  "eightysix/nats": new Set(["request"]),
};

/** What `withContext` made of a driver. */
export interface Wrapped {
  /** The variable, such as `db`. */
  variable: Variable;
  /** The entry point, such as "eightysix/pg". */
  module: string;
}

/** Returns the entry point if a call is `withContext(driver)`. */
export function wrappingModule(
  node: TSESTree.Node | null | undefined,
  { sourceCode }: RuleContext,
): string | undefined {
  if (node?.type !== "CallExpression") return undefined;
  const reference = referenceOf(node.callee, sourceCode);
  return reference?.name === "withContext" && reference.module.startsWith("eightysix/")
    ? reference.module
    : undefined;
}

/** Returns what `const db = withContext(driver)` made of a driver, if the code at `node` can see `db`. */
export function twinOf(
  driver: Variable,
  node: TSESTree.Node,
  context: RuleContext,
): Wrapped | undefined {
  if (isReassigned(driver)) return undefined;
  for (const { identifier } of driver.references) {
    const call = identifier.parent;
    const module = wrappingModule(call, context);
    if (module === undefined || call.type !== "CallExpression" || call.arguments[0] !== identifier)
      continue;
    const { parent } = call;
    if (parent.type !== "VariableDeclarator" || parent.id.type !== "Identifier") continue;
    const [variable] = context.sourceCode.getDeclaredVariables?.(parent) ?? [];
    const visible = variableNamed(parent.id.name, node, context.sourceCode);
    if (variable !== undefined && visible === variable && !isReassigned(variable))
      return { variable, module };
  }
  return undefined;
}

/** Whether the twin has the method, with a context first. */
export function hasTwinMethod(
  { variable, module }: Wrapped,
  method: string,
  context: RuleContext,
): boolean {
  const [name] = variable.identifiers;
  const types = typesOf(context.sourceCode);
  const typed = name && types?.takesContextFirst(name, method);
  return typed ?? TWINS[module]?.has(method) ?? false;
}

/** Returns the driver that a variable was made of, if it is `const db = withContext(driver)`. */
export function isWrapped(variable: Variable, context: RuleContext): string | undefined {
  const [definition] = variable.defs;
  if (definition?.node.type !== "VariableDeclarator" || isReassigned(variable)) return undefined;
  return wrappingModule(definition.node.init, context);
}
