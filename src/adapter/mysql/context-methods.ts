/** MySQL and MariaDB, for any driver: what `withContext` returns. */
import type { Context } from "../../index.ts";
import { lease } from "../lease.ts";
import { needContext, showCaller } from "../misuse.ts";
import { Controls } from "./kill.ts";
import { needStatement, type Arguments, type MysqlDriver, type MysqlPool } from "./driver.ts";
import { MysqlSession } from "./session.ts";
import { Places } from "../places.ts";
import { sessionMethods } from "../sessions.ts";
import type { Settings } from "../settings.ts";

type Take = (ctx: Context) => Promise<MysqlSession>;

/** The ctx-first face of a pool. */
export function poolMethods<C>(
  driver: MysqlDriver<C>,
  pool: MysqlPool<C>,
  owner: object,
  settings: Settings,
): object {
  const controls = controlsOf(owner);
  return contextMethods(driver, settings, async (ctx) => {
    const connection = await lease(ctx, {
      kind: `${driver.name}.wait`,
      take: () => pool.take(),
      giveBack: (late) => pool.giveBack(late),
    });
    const release = (): void => pool.giveBack(connection);
    return new MysqlSession(driver, driver.wrap(connection), controls, settings, release);
  });
}

const turns = new WeakMap<object, Places>();

/** The ctx-first face of one connection, on which all takes turns. `owner` is known by. */
export function connectionMethods<C>(
  driver: MysqlDriver<C>,
  connection: C,
  owner: object,
  settings: Settings,
): object {
  const controls = controlsOf(owner);
  let places = turns.get(owner);
  if (places === undefined) turns.set(owner, (places = new Places(1)));
  const turn = places;
  return contextMethods(driver, settings, async (ctx) => {
    await turn.take(ctx);
    const release = (): void => turn.give();
    return new MysqlSession(driver, driver.wrap(connection), controls, settings, release);
  });
}

const allControls = new WeakMap<object, Controls>();

function controlsOf(owner: object): Controls {
  let controls = allControls.get(owner);
  if (controls === undefined) allControls.set(owner, (controls = new Controls()));
  return controls;
}

function contextMethods(
  driver: { methods: readonly string[] },
  settings: Settings,
  take: Take,
): object {
  const once = async (method: string, ctx: Context, args: Arguments): Promise<unknown> => {
    needContext(ctx, `${method}(ctx, sql, values)`);
    needStatement(method, args);
    const session = await take(ctx);
    try {
      return await session.run(ctx, method, args);
    } finally {
      await session.tidy(ctx);
      session.end();
    }
  };
  const statements = driver.methods.map((method) => [
    method,
    (ctx: Context, ...args: Arguments) => once(method, ctx, args).catch(showCaller),
  ]);
  return {
    ...(Object.fromEntries(statements) as object),
    ...sessionMethods({ stopTimeout: settings.stopTimeout, take }),
  };
}
