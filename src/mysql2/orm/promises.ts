/**
 * The pools and connections of `mysql2/promise` over bound ones with callbacks.
 *
 * Under a context, their statements do not go through mysql2's own promises. Those reject with a copy
 * of the error in older versions, and write a stack into it in newer ones. What is no statement does
 * go through them, and the context's error then replaces its copy.
 */
import type { Context } from "../../index.ts";
import { handOver } from "../../adapter/index.ts";
import type { ContextOf } from "../../adapter/orm/inherited-context.ts";
import { overrideMethods } from "../../adapter/orm/override-methods.ts";
import type { CoreConnection, CorePool } from "../driver.ts";

type AnyMethod = (...args: unknown[]) => unknown;
type Methods = Record<string, AnyMethod>;
type Callback = (error: unknown, ...results: unknown[]) => void;

/** Returns the pool with promises over `proxy`, the proxy of `core`. */
export function promisePool(
  proxy: CorePool,
  core: CorePool,
  promiseClass: PromiseConstructor | undefined,
  contextOf: ContextOf,
): object {
  const getConnection = (): Promise<unknown> =>
    new (promiseClass ?? Promise)((resolve, reject) => {
      proxy.getConnection((error, connection) => {
        if (connection === undefined) reject(error);
        else resolve(connection.promise(promiseClass));
      });
    });
  return withPromises(proxy, core, promiseClass, contextOf, ["query", "execute"], {
    getConnection,
  });
}

/** Returns the connection with promises over `proxy`, the proxy of `core`. */
export function promiseConnection(
  proxy: CoreConnection,
  core: CoreConnection,
  promiseClass: PromiseConstructor | undefined,
  contextOf: ContextOf,
): object {
  const statements = ["query", "execute", "beginTransaction", "commit", "rollback"];
  const overrides: Record<string, unknown> = {};
  const bound = withPromises(
    proxy,
    core,
    promiseClass,
    contextOf,
    statements,
    overrides,
  ) as Methods;
  for (const name of ["ping", "reset", "changeUser"]) {
    overrides[name] = restoring(bound[name] as AsyncMethod, contextOf);
  }
  const prepare = restoring(bound["prepare"] as AsyncMethod, contextOf);
  overrides["prepare"] = async (...args: unknown[]) => {
    const statement = (await prepare(...args)) as Record<"execute", AsyncMethod>;
    const execute: AsyncMethod = (...values) => statement.execute(...values);
    return overrideMethods(statement, { execute: restoring(execute, contextOf) });
  };
  return bound;
}

type AsyncMethod = (...args: unknown[]) => Promise<unknown>;

/** Returns a method that rejects with the context's own error in place of a copy. */
function restoring(method: AsyncMethod, contextOf: ContextOf): AsyncMethod {
  return async (...args) => {
    try {
      return await method(...args);
    } catch (error) {
      const err = contextOf()?.err();
      throw err !== undefined && (error as { code?: unknown }).code === err.code ? err : error;
    }
  };
}

function withPromises(
  proxy: CorePool | CoreConnection,
  core: CorePool | CoreConnection,
  promiseClass: PromiseConstructor | undefined,
  contextOf: ContextOf,
  names: readonly string[],
  overrides: Record<string, unknown>,
): object {
  // mysql2 stores the proxy in it, so all its methods go there.
  const driver = Reflect.apply(Reflect.get(core, "promise") as AnyMethod, proxy, [
    promiseClass,
  ]) as Methods;
  for (const name of names) {
    const send = handOver(
      (_: Context, args: readonly unknown[]) =>
        new (promiseClass ?? Promise)((resolve, reject) => {
          const done: Callback = (error, rows, fields) =>
            // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the driver's own
            error ? reject(error) : resolve([rows, fields]);
          (proxy as unknown as Methods)[name]?.(...args, done);
        }),
    );
    overrides[name] = (...args: unknown[]): unknown => {
      const ctx = contextOf();
      const isRefused = args.some((argument) => typeof argument === "function"); // mysql2 throws
      return ctx === undefined || isRefused ? driver[name]?.(...args) : send(ctx, args);
    };
  }
  return overrideMethods(driver, overrides);
}
