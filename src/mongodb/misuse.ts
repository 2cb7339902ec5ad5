/** Checks arguments. Each message says what was passed and what to write instead. */
import { needContext } from "../adapter/index.ts";
import { show } from "../internal.ts";
import type { CallOptions, CollectionOrDb } from "./driver.ts";
import type { DbLike } from "./types.ts";

/** Throws a TypeError unless `target` is a `Collection` or a `Db`. */
export function needCollectionOrDb(target: unknown): asserts target is CollectionOrDb {
  const { namespace, client, aggregate } = Object(target) as Partial<CollectionOrDb & DbLike>;
  if (
    typeof namespace === "string" &&
    typeof client?.startSession === "function" &&
    typeof aggregate === "function"
  ) {
    return;
  }
  const { db, startSession } = Object(target) as Record<string, unknown>;
  const isClient = typeof db === "function" && typeof startSession === "function";
  const instead = isClient
    ? "pass client.db(name).collection(name), or client.db(name)"
    : "pass db.collection(name), or db";
  throw new TypeError(
    `withContext of eightysix/mongodb takes a Collection or a Db, got ${show(target)}; ${instead}`,
  );
}

/** Returns the options of a call. Throws a TypeError for a wrong context, and for a signal. */
export function checkCall(ctx: unknown, method: string, options: unknown): CallOptions {
  needContext(ctx, `${method}(ctx, …)`);
  const callOptions = (options ?? {}) as CallOptions;
  if (callOptions.signal !== undefined) {
    throw new TypeError(
      `${method}(ctx, …) does not take the option signal; write ${method}(withSignal(ctx, signal), …)`,
    );
  }
  return callOptions;
}
