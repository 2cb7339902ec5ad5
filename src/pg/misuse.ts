/** Checks of arguments. Their messages say what was passed and what to write instead. */
import { show } from "../internal.ts";
import { isJavaScriptClient, isPool, queryClassOf, type Client } from "./driver.ts";

/** Throws a TypeError unless `args` can be the arguments of a query. */
export function needQuery([query, values]: readonly unknown[]): void {
  const { submit } = Object(query) as { submit?: unknown };
  if (typeof submit === "function") {
    throw new TypeError(
      "query(ctx, …) takes SQL or a config object, not a Query or a cursor, whose end it cannot know; stream(ctx, …) reads rows while they arrive",
    );
  }
  if (typeof query !== "string" && (typeof query !== "object" || query === null)) {
    throw new TypeError(`query(ctx, …) takes SQL or a config object, got ${show(query)}`);
  }
  if (typeof values === "function") {
    throw new TypeError("query(ctx, …) returns a promise; leave the callback out");
  }
}

/** Throws a TypeError unless `driver` is a client whose single queries can be stopped. */
export function needClient(driver: unknown, name: string): asserts driver is Client {
  const client = driver as Client;
  if (driver == null || !isJavaScriptClient(client) || queryClassOf(client) === undefined) {
    const hint = hintFor(driver, name) ?? `got ${show(driver)}`;
    throw new TypeError(`${name} takes a Pool or a Client of pg (not of pg.native), ${hint}`);
  }
  if (client.pipeline === true) {
    throw new TypeError(
      `${name} cannot take a Client in pipeline mode: a cancel request may hit any query in the pipeline; make the Client without \`pipeline\``,
    );
  }
}

/** Throws a TypeError unless `pool` is a pool of pg, or may be the class of pools. */
export function needPoolOrClass(pool: unknown): void {
  if (isPool(pool)) return;
  const fail = (hint: string): never => {
    throw new TypeError(`contextPool takes a pool, as contextPool(new pg.Pool()), ${hint}`);
  };
  const hint = hintFor(pool, "contextPool");
  if (hint !== undefined) fail(hint);
  if (typeof pool !== "function") fail(`got ${show(pool)}`);
  const { prototype } = pool as { prototype?: unknown };
  if (hasMethods(prototype, "escapeIdentifier")) fail("got a class of clients");
}

/** Returns a hint for a value that is neither a Pool nor a Client, if it is a known mistake. */
function hintFor(driver: unknown, name: string): string | undefined {
  if (typeof driver === "function" && hasMethods(driver, "unsafe")) {
    return 'got the sql of postgres.js; import { withContext } from "eightysix/postgres" for it';
  }
  // Checked before mysql2, because mariadb has all these methods of mysql2 too.
  if (hasMethods(driver, "batch", "execute")) return ofOtherDriver("mariadb");
  if (
    hasMethods(driver, "execute", "getConnection") ||
    hasMethods(driver, "execute", "changeUser")
  ) {
    return ofOtherDriver("mysql2");
  }
  const orm = ormOf(driver);
  if (orm !== undefined) {
    return `got ${orm}; give ${orm} a pool that is bound to contexts instead: bind(ctx, pool) for one request, or contextPool(pool) for the whole process (docs/orms.md)`;
  }
  if (name !== "contextPool" && typeof driver === "function" && "prototype" in driver) {
    if (hasMethods(driver.prototype, "connect", "query")) {
      return "got a class; create a pool or a client with `new`";
    }
  }
  return undefined;
}

function ofOtherDriver(driver: string): string {
  return `got a pool or connection of ${driver}; import { withContext } from "eightysix/${driver}" for it`;
}

function ormOf(value: unknown): string | undefined {
  if (hasMethods(value, "$connect", "$extends")) return "Prisma";
  if (hasMethods(value, "selectFrom", "getExecutor")) return "Kysely";
  if (hasMethods(value, "createQueryRunner", "initialize")) return "TypeORM";
  if (hasMethods(value, "raw", "transaction", "batchInsert")) return "Knex";
  if (hasMethods(value, "select", "transaction") && "$client" in Object(value)) return "Drizzle";
  return undefined;
}

function hasMethods(value: unknown, ...names: string[]): boolean {
  const members = Object(value) as Record<string, unknown>;
  return names.every((name) => typeof members[name] === "function");
}
