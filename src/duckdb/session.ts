/** One connection while it serves a transaction, a stream or a function. */
import {
  type ConnectionSource,
  EngineSession,
  engineSessions,
  NothingCommittedError,
  type SessionSource,
  type Statement,
  type Stream,
} from "../adapter/index.ts";
import { background, type Context } from "../index.ts";
import { isAborted, rollback, runStep } from "./engine.ts";
import { driverMethods, openBatches, queryText } from "./statements.ts";
import { openStream } from "./stream.ts";
import type { ConnectionLike } from "./types.ts";

export function sessionsOf<C extends ConnectionLike>(
  source: ConnectionSource<C>,
): SessionSource<never> {
  return engineSessions(
    source,
    (connection, place) => new ConnectionSession(source, connection, place),
  );
}

class ConnectionSession<C extends ConnectionLike> extends EngineSession<C> {
  readonly statements: Readonly<Record<string, Statement>> = driverMethods(this.turns);
  readonly noSavepointsMessage =
    "DuckDB has no savepoints, so a transaction cannot contain another; use the transaction that is open";

  open(ctx: Context, ...args: readonly never[]): Stream {
    const [query] = args;
    return openStream(ctx, this.turns, queryText(query), (connection) =>
      openBatches(connection, args),
    );
  }

  execute(ctx: Context, sql: string): Promise<unknown> {
    return runStep(ctx, this.turns, sql, (connection) => connection.run(sql));
  }

  async reset(ctx: Context): Promise<void> {
    await runStep(ctx, this.turns, "ROLLBACK", rollback);
    this.isInTransaction = false;
  }

  protected override beginStatement(options: unknown): string {
    if (options === undefined) return "BEGIN";
    throw new TypeError("transaction(ctx, fn) takes no options: DuckDB has none");
  }

  protected override async tidy(mustRollBack: boolean): Promise<void> {
    if (mustRollBack) await rollback(this.connection);
  }

  /** DuckDB reports the COMMIT of an aborted transaction as a success. */
  protected override async checkCommit(): Promise<void> {
    await this.execute(background(), "SELECT 1").catch((error: unknown) => {
      throw isAborted(error) ? new NothingCommittedError() : error;
    });
  }
}
