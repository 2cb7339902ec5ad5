/**
 * MongoDB through `mongodb` 7: operations whose work ends on the server with their context.
 *
 * @packageDocumentation
 */
import type { Context } from "../index.ts";
import { needContext } from "../adapter/misuse.ts";
import { runStoppable } from "../adapter/stoppable.ts";
import { cursor } from "./cursor.ts";
import type { DriverCursor, Options, Target } from "./driver.ts";
import { isStop, RunningCall } from "./running-call.ts";
import {
  CALLS,
  type CollectionLike,
  type ContextCollection,
  type ContextDb,
  type Cursor,
  type DbLike,
} from "./types.ts";

export type {
  CollectionLike,
  ContextCollection,
  ContextDb,
  Cursor,
  DbLike,
  DocumentOf,
} from "./types.ts";

/**
 * The ctx-first face of a `Collection` or a `Db`. It holds nothing of its own and need not be
 * closed; the client stays its owner's.
 *
 *     const orders = withContext(db.collection<Order>("orders"));
 *     const open = await orders.find(ctx, { open: true }, { sort: { day: 1 } }).toArray();
 *
 * When `ctx` ends, an operation leaves the queue for a connection at once; one that was sent is
 * stopped by `killSessions`, and its promise settles when the server has answered that: with
 * `ctx.err()`, or with the result if that came first. Any other failure is the driver's error,
 * untouched. Where that means does not reach it, the socket is closed (for a cursor: the cursor),
 * and its receipt says "abandoned": on a server that knows no `killSessions` (Atlas's free and Flex
 * clusters), for reads that may run on a secondary, in a session of yours outside of a transaction,
 * for writes that are not acknowledged, and where no connection is to be had for the kill.
 *
 * **A write that was sent may have happened, wholly or in part**, whatever it rejects with: only a
 * transaction undoes it. A stop inside a transaction of yours (`session` among the options) aborts
 * the transaction.
 *
 * A deadline is sent along as `maxTimeMS`, so that the server keeps it by itself; a shorter one of
 * yours is kept. The driver's `timeoutMS` has no effect any more. `signal` among the options is a
 * TypeError: derive a context with `withSignal`.
 *
 * Tested against what the driver puts on the wire, for want of a server: that a server does with
 * `killSessions`, `maxTimeMS` and a closed socket what MongoDB's manual says is taken on trust.
 *
 * Not covered: change streams, transactions' own commands, administration (use `command`), GridFS.
 */
export function withContext<C extends CollectionLike>(collection: C): ContextCollection<C>;
export function withContext<D extends DbLike>(db: D): ContextDb<D>;
export function withContext(driver: CollectionLike | DbLike): unknown {
  const target = checkTarget(driver);
  // Which methods a driver's object has is said by its type, above.
  const methods = driver as unknown as Record<string, (...args: unknown[]) => unknown>;
  const face: Record<string, unknown> = {};
  const call = (method: string, at: number): void => {
    face[method] = async (ctx: Context, ...args: unknown[]): Promise<unknown> => {
      const asked = check(ctx, method, args[at]);
      let reach!: RunningCall;
      return runStoppable(ctx, {
        kind: `mongodb.${method}`,
        what: target.namespace,
        start() {
          const own = method === "command" ? (args[0] as Options) : asked;
          reach = new RunningCall(ctx, target, { ...asked, maxTimeMS: own.maxTimeMS });
          const given = placed(args, at, reach.options);
          // This one alone takes no limit from its options. The name stays first, or is none.
          if (method === "command") given[0] = { ...(args[0] as object), ...reach.limit };
          return reach.run(() => methods[method]?.(...given) as Promise<unknown>);
        },
        stop: () => reach.stop(),
        isStop,
        destroy: () => reach.close(),
        release: (state) => reach.over(state),
      });
    };
  };
  const query = (method: string, at: number): void => {
    face[method] = (ctx: Context, ...args: unknown[]): Cursor<unknown> => {
      const asked = check(ctx, method, args[at]);
      return cursor(ctx, `mongodb.${method}`, target, asked, (options) => {
        return methods[method]?.(...placed(args, at, options)) as DriverCursor;
      });
    };
  };
  query("aggregate", 1);
  if ("collectionName" in driver) {
    query("find", 1);
    for (const [method, at] of Object.entries(CALLS)) call(method, at);
  } else call("command", 1);
  return face;
}

function checkTarget(driver: unknown): Target {
  const target = Object(driver) as Partial<Target>;
  if (
    typeof target.namespace !== "string" ||
    typeof target.client?.startSession !== "function" ||
    typeof (driver as Partial<DbLike>).aggregate !== "function"
  ) {
    throw new TypeError("withContext takes a Collection or a Db of mongodb");
  }
  return target as Target;
}

function check(ctx: unknown, method: string, options: unknown): Options {
  needContext(ctx, `${method}(ctx, …)`);
  const asked = (options ?? {}) as Options;
  if (asked.signal !== undefined) {
    throw new TypeError(
      `${method}(ctx, …) takes no signal: write ${method}(withSignal(ctx, signal), …)`,
    );
  }
  return asked;
}

function placed(args: readonly unknown[], at: number, options: Options): unknown[] {
  const given = [...args];
  given[at] = options; // what is left out before it is undefined, which stands for the default
  return given;
}
