/**
 * MongoDB through `mongodb` 7. When a context ends, its operations stop on the server.
 *
 * @packageDocumentation
 */
import type {
  CollectionLike,
  ContextCollection,
  ContextCursor,
  ContextDb,
  DbLike,
} from "./types.ts";
import type { Context } from "../index.ts";
import { handOver, runStoppable } from "../adapter/index.ts";
import { createCursor } from "./cursor.ts";
import type { CallOptions, CollectionOrDb, DriverCursor } from "./driver.ts";
import { OPTIONS_POSITION } from "./methods.ts";
import { checkCall, needCollectionOrDb } from "./misuse.ts";
import { isStop, RunningCall } from "./running-call.ts";

export type {
  CollectionLike,
  ContextCollection,
  ContextCursor,
  ContextDb,
  DbLike,
  DocumentOf,
} from "./types.ts";

/**
 * Returns the methods of a `Collection` or a `Db` with a context as their first parameter. The result
 * holds no resources and need not be closed. The caller still owns the client and closes it.
 *
 * When `ctx` ends, an operation that waits for a connection rejects at once. An operation that was
 * sent is stopped by `killSessions`, and its promise settles when the server has answered that: with
 * `ctx.err()`, or with the result if that came first. Any other error is the driver's own.
 *
 * `killSessions` is not possible:
 * - on a server without it (the free and Flex clusters of Atlas)
 * - for reads that may run on a secondary
 * - in a session that the caller passed, outside of a transaction
 * - for unacknowledged writes
 * - if no connection is free for it
 *
 * In these cases the socket is closed, and the receipt says "abandoned". If a cursor is fetching a
 * later batch, the cursor is closed instead.
 *
 * **A write that was sent may have happened, wholly or in part**, whatever its promise rejects with.
 * Only a transaction undoes it. A stop inside a transaction of the caller (`session` in the options)
 * aborts the transaction.
 *
 * A deadline is sent as `maxTimeMS`, so that the server enforces it too, unless the options have a
 * shorter one. The driver's `timeoutMS` has no effect. `signal` in the options throws a TypeError:
 * derive a context with `withSignal` instead.
 *
 * Not covered: change streams, the commands of transactions, GridFS, and administration, for which
 * there is `command`.
 *
 * This adapter is tested against what the driver sends, not against a server. That a server reacts to
 * `killSessions`, `maxTimeMS` and a closed socket as MongoDB's manual says is not tested.
 *
 * Throws a TypeError if `target` is neither a `Collection` nor a `Db`.
 *
 * @example
 * const orders = withContext(db.collection<Order>("orders"));
 * const open = await orders.find(ctx, { open: true }, { sort: { day: 1 } }).toArray();
 */
export function withContext<C extends CollectionLike>(collection: C): ContextCollection<C>;
export function withContext<D extends DbLike>(db: D): ContextDb<D>;
export function withContext(driver: CollectionLike | DbLike): unknown {
  const target: unknown = driver;
  needCollectionOrDb(target);
  const methods = driver as unknown as DriverMethods;
  const contextMethods: Record<string, unknown> = {
    aggregate: cursorMethod(target, methods, "aggregate", 1),
  };
  if ("collectionName" in driver) {
    contextMethods["find"] = cursorMethod(target, methods, "find", 1);
    for (const [method, position] of Object.entries(OPTIONS_POSITION)) {
      contextMethods[method] = callMethod(target, methods, method, position);
    }
  } else contextMethods["command"] = callMethod(target, methods, "command", 1);
  return contextMethods;
}

type DriverMethods = Record<string, (...args: unknown[]) => unknown>;

/** Returns a method that resolves with one result. `position` is that of its options. */
function callMethod(
  target: CollectionOrDb,
  methods: DriverMethods,
  method: string,
  position: number,
) {
  const run = async (ctx: Context, ...args: unknown[]): Promise<unknown> => {
    const callOptions = checkCall(ctx, method, args[position]);
    let call: RunningCall | undefined;
    return runStoppable(ctx, {
      kind: `mongodb.${method}`,
      what: target.namespace,
      start(resolver) {
        const isCommand = method === "command";
        const { maxTimeMS } = isCommand ? (args[0] as CallOptions) : callOptions;
        const started = (call = new RunningCall(ctx, target, { ...callOptions, maxTimeMS }));
        const driverArgs = withOptions(args, position, started.options);
        // `command` alone takes its limit from the command, whose name must stay its first property.
        if (isCommand) driverArgs[0] = { ...(args[0] as object), ...started.limit };
        started.run(resolver, () => methods[method]?.(...driverArgs) as Promise<unknown>);
        return undefined;
      },
      stop: () => (call as RunningCall).stop(),
      isStop,
      destroy: () => call?.close(),
      release: (end) => call?.release(end),
    });
  };
  return handOver(run, method);
}

/** Returns a method that returns a cursor. `position` is that of its options. */
function cursorMethod(
  target: CollectionOrDb,
  methods: DriverMethods,
  method: string,
  position: number,
) {
  return (ctx: Context, ...args: unknown[]): ContextCursor<unknown> => {
    const callOptions = checkCall(ctx, method, args[position]);
    return createCursor(ctx, `mongodb.${method}`, target, callOptions, (options) => {
      return methods[method]?.(...withOptions(args, position, options)) as DriverCursor;
    });
  };
}

/** Returns `args` with `options` in their position. Arguments left out before stay `undefined`. */
function withOptions(args: readonly unknown[], position: number, options: CallOptions): unknown[] {
  const result = [...args];
  result[position] = options;
  return result;
}
