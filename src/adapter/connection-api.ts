/** What the function of a transaction or of `connection` is called with. */
import type { Context } from "../index.ts";
import { STREAM as A_STREAM, type ConnectionScope } from "./connection-scope.ts";
import { handOverAll } from "./hand-over.ts";
import type { HeldConnection } from "./held-connection.ts";
import { needContext, needFunction } from "./misuse.ts";
import { rowsOf } from "./rows.ts";
import type { Session, Stream } from "./session.ts";

/** A function that gets the methods of a connection. Each adapter declares their exact types. */
export type Fn = (connectionApi: never) => unknown;

export const TRANSACTION = "transaction(ctx, async (tx) => { … })";
export const CONNECTION = "connection(ctx, async (db) => { … })";
export const STREAM = "stream(ctx, …)";

/** Opens a stream. Throws a TypeError if the adapter has no streams. */
export function openStream<O>(session: Session<O>, ctx: Context, args: readonly never[]): Stream {
  if (session.open === undefined) throw new TypeError("this adapter has no streams");
  return session.open(ctx, ...args);
}

/** Returns what `fn` is called with: the statements, `transaction` and `stream`, within the scope. */
export function connectionApi<O>(
  session: Session<O>,
  held: HeldConnection,
  connectionScope: ConnectionScope,
  transaction: (ctx: Context, fn: Fn, options?: O) => Promise<unknown>,
): object {
  const statements = Object.entries(session.statements).map(([name, statement]) => [
    name,
    async (ctx: Context, ...args: readonly never[]) => {
      needContext(ctx, `${name}(ctx, …)`);
      return await connectionScope.run(ctx, (both) => held.run(() => statement(both, ...args)));
    },
  ]);
  return handOverAll({
    ...(Object.fromEntries(statements) as Record<string, unknown>),
    async transaction(ctx: Context, fn: Fn, options?: O) {
      needContext(ctx, TRANSACTION);
      needFunction(fn, TRANSACTION);
      return await transaction(ctx, fn, options);
    },
    stream(ctx: Context, ...args: readonly never[]) {
      needContext(ctx, STREAM);
      return rowsOf(ctx, async (streamCtx) => {
        let stream: Stream | undefined;
        const open = (both: Context): Promise<unknown> =>
          (stream = openStream(session, both, args)).ended;
        const ended = connectionScope.run(streamCtx, open, A_STREAM);
        ended.catch(ignore);
        if (stream === undefined) await ended;
        const opened = stream as unknown as Stream;
        return {
          next: () => held.run(() => opened.next()),
          // Also waits for the connection scope, which rejects other operations until it knows that
          // the stream has ended.
          close: () => Promise.resolve(opened.close()).then(() => ended.then(ignore, ignore)),
        };
      });
    },
  });
}

function ignore(): void {
  // The stream's `next` reports the error.
}
