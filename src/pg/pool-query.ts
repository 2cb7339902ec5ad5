/** A query on whichever connection of a pool is free first. */
import type { Context } from "../index.ts";
import type { Pool, PoolClient } from "./driver.ts";
import type { QueryArguments } from "./types.ts";
import { RunningQuery } from "./running-query.ts";

/**
 * First come, first served. A Pool cannot take a waiter back, so one that has left is granted its
 * connection in its turn all the same, and returns it untouched.
 */
export class PoolQuery extends RunningQuery {
  readonly #pool: Pool;
  readonly #destroyOnCancel: boolean;
  #client: PoolClient | undefined;

  constructor(ctx: Context, args: QueryArguments, pool: Pool, destroyOnCancel: boolean) {
    super(ctx, args);
    this.#pool = pool;
    this.#destroyOnCancel = destroyOnCancel;
  }

  protected override obtain(): void {
    this.#pool.connect((error, client) => {
      if (client === undefined) this.answer(error);
      else if (this.hasLeft || this.ctx.err() !== undefined) {
        // Not from within the grant: a release grants the next, which would recurse once for each
        // of the waiters that have left.
        queueMicrotask(() => client.release());
        this.leave();
      } else this.#use(client);
    });
  }

  #use(client: PoolClient): void {
    this.#client = client;
    // A Pool listens only while the connection is its own, and without a listener the error of a
    // broken one ends the process. The query's own failure says it all.
    client.on("error", ignore);
    this.sentTo(client);
    try {
      client.query(this.args[0], this.args[1], this.answer);
    } catch (error) {
      this.answer(error as Error);
    }
  }

  protected override giveBack(): void {
    const client = this.#client;
    if (client === undefined) return;
    if (!this.reusable || (this.canceled && this.#destroyOnCancel)) this.destroyConnection();
    else {
      client.release();
      client.removeListener("error", ignore);
    }
  }

  override destroyConnection(): void {
    const client = this.#client;
    this.#client = undefined;
    client?.release(true);
    // pg says goodbye and waits for the answer, and its pool waits for that to open another.
    client?.connection.stream.destroy();
    client?.removeListener("error", ignore);
  }
}

function ignore(): void {
  // see above
}
