/** Makes commands of mysql2 that are not sent, for callers who expect one. */
import type { StatementArguments } from "../../adapter/mysql/statement-arguments.ts";
import type { CoreConnection, CorePool } from "../driver.ts";
import type { UnsentCommand } from "./row-emitter.ts";

/** The static part of the classes of connections. */
interface ConnectionClass {
  createQuery(sql: unknown, values: unknown, callback: undefined, config: object): UnsentCommand;
}

export function commandOf(core: CoreConnection, [sql, values]: StatementArguments): UnsentCommand {
  const connectionClass = core.constructor as unknown as ConnectionClass;
  return connectionClass.createQuery(copyOf(sql), values, undefined, core.config);
}

type Query = (sql: unknown, values: unknown) => UnsentCommand;

/** A pool does not know the class, so its own `query` makes the command, and gets no connection. */
export function commandOfPool(core: CorePool, [sql, values]: StatementArguments): UnsentCommand {
  const withoutConnections = { config: core.config, getConnection: () => undefined };
  const query: unknown = Reflect.get(core, "query");
  return Reflect.apply(query as Query, withoutConnections, [copyOf(sql), values]);
}

/** Older versions of mysql2 write the values into the caller's object. */
function copyOf(sql: unknown): unknown {
  return typeof sql === "string" ? sql : { ...(sql as object) };
}
