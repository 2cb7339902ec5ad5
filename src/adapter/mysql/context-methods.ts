/** The methods that `withContext` returns for a pool or a connection of any MySQL driver. */
import type { Context } from "../../index.ts";
import { handOverAll } from "../hand-over.ts";
import { lease } from "../lease.ts";
import { needContext, showCaller } from "../misuse.ts";
import type { SessionSource } from "../session.ts";
import { sessionMethods } from "../sessions.ts";
import type { Settings } from "../settings.ts";
import { takePlace } from "../take-place.ts";
import type { MysqlDriver, MysqlPool } from "./driver.ts";
import { killConnectionsOf, turnsOf } from "./owner.ts";
import { MysqlSession, type SessionOptions } from "./session.ts";
import { checkStatement, type StatementArguments } from "./statement-arguments.ts";

/**
 * Returns the methods for a pool. Pools with the same `owner`, which are several wrappers of one
 * pool, share their kill connections.
 */
export function poolMethods<C>(
  driver: MysqlDriver<C>,
  pool: MysqlPool<C>,
  owner: object,
  settings: Settings,
): object {
  const killConnections = killConnectionsOf(owner);
  return contextMethods(driver, settings, { pool: owner }, async (ctx) => {
    const connection = await lease(ctx, {
      kind: `${driver.name}.wait`,
      pool: owner,
      take: () => pool.take(),
      giveBack: (late) => pool.giveBack(late),
    });
    const giveBack = (): void => pool.giveBack(connection);
    return openSession(driver, connection, { killConnections, settings, giveBack });
  });
}

/**
 * Returns the methods for one connection. Operations on it run one at a time. `owner` is the key
 * under which the queue and the kill connections are shared.
 */
export function connectionMethods<C>(
  driver: MysqlDriver<C>,
  connection: C,
  owner: object,
  settings: Settings,
): object {
  const killConnections = killConnectionsOf(owner);
  const turns = turnsOf(owner);
  return contextMethods(driver, settings, { pool: turns, isCallersOwn: true }, async (ctx) => {
    const turn = await takePlace(turns, ctx);
    const giveBack = (): void => turn.release();
    return openSession(driver, connection, { killConnections, settings, giveBack });
  });
}

/** Gives the connection back if the driver's connection cannot be used. */
function openSession<C>(
  driver: MysqlDriver<C>,
  connection: C,
  options: Omit<SessionOptions, "driver" | "connection">,
): MysqlSession {
  try {
    return new MysqlSession({ ...options, driver, connection: driver.wrap(connection) });
  } catch (error) {
    options.giveBack();
    throw error;
  }
}

function contextMethods(
  driver: { readonly methods: readonly string[] },
  settings: Settings,
  belonging: Pick<SessionSource<never>, "pool" | "isCallersOwn">,
  take: (ctx: Context) => Promise<MysqlSession>,
): object {
  const runOnce = async (
    method: string,
    ctx: Context,
    args: StatementArguments,
  ): Promise<unknown> => {
    needContext(ctx, `${method}(ctx, sql, values)`);
    checkStatement(method, args);
    const session = await take(ctx);
    try {
      return await session.run(ctx, method, args);
    } finally {
      await session.tidy(ctx, args);
      session.end();
    }
  };
  const statements = driver.methods.map((method) => [
    method,
    (ctx: Context, ...args: StatementArguments) => runOnce(method, ctx, args).catch(showCaller),
  ]);
  return {
    ...handOverAll(Object.fromEntries(statements) as object),
    ...sessionMethods({ ...belonging, stopTimeout: settings.stopTimeout, take }),
  };
}
