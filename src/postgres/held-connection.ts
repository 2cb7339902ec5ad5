/**
 * A connection of the pool, for as long as it is ours.
 *
 * Not through the driver's `reserve()`: it never resolves where `fetch_types` is off, or when the
 * connection that it waits for breaks; and its `release()` puts a broken connection, or one that is
 * somebody else's by now, back into the pool (porsager/postgres #751, #1195, #1199). So we take one
 * as the driver's own `begin()` does: with a query that says which connection it was sent on.
 */
import { afterFunc, type Context, type Stop } from "../index.ts";
import { lease } from "../adapter/lease.ts";
import {
  leaseOf,
  statementOf,
  type Connection,
  type OnExecute,
  type Pool,
  type Statement,
} from "./driver.ts";
import { isBroken, mend, socketOf } from "./socket.ts";

/**
 * Costs the server next to nothing, and ends with a CommandComplete: only that makes the driver forget
 * how many rows a statement had sent before it failed; the next result would begin with as many holes
 * (#1181).
 */
export const FENCE = "select where false";

/**
 * What a server says when it ends a connection. The driver keeps it, and fails the first query of the
 * connection that is opened next in this place with it; ours have not even begun then.
 */
const LAST_WORDS: ReadonlySet<unknown> = new Set(["57P01", "57P02", "57P05", "25P03"]);

/** Milliseconds from an error of a socket to its close; after that it was no such error. */
const CLOSES_WITHIN = 1_000;

/** Bytes from which on the driver does not wait for more. */
const SENT_AT_ONCE = 1_024;

/** Waits for a connection until `ctx` is done, and rejects with its error then. */
export function holdConnection(
  ctx: Context,
  pool: Pool,
  stopTimeout: number,
): Promise<HeldConnection> {
  return lease(ctx, {
    kind: "postgres.wait",
    take: () => take(ctx, pool, stopTimeout),
    giveBack: (held) => held.giveBack(),
  });
}

function take(ctx: Context, pool: Pool, stopTimeout: number): Promise<HeldConnection> {
  return new Promise((resolve, reject) => {
    const query = leaseOf(pool);
    let held: HeldConnection | undefined;
    let stay: Stop | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const answered = (): void => {
      stay?.();
      clearTimeout(timer);
    };
    const onexecute: OnExecute = (connection) => {
      // Too late: it remains the pool's, and there is nothing to give back.
      if (ctx.err() !== undefined) return true;
      const mine = (held = new HeldConnection(pool, connection, statement));
      // A server that does not even answer this will not answer others. But theirs may be before it.
      const destroy = (): void => mine.destroy();
      if (statement.active === true) {
        stay = afterFunc(ctx, () => void (timer = setTimeout(destroy, stopTimeout)));
      }
      return false;
    };
    const statement: Statement = statementOf(query, {
      // Others' queries can be on their way there: it is ours when this has been answered.
      resolve() {
        answered();
        const err = ctx.err();
        if (held !== undefined) resolve(held);
        else if (err !== undefined) reject(err);
        else resolve(take(ctx, pool, stopTimeout)); // the driver did not say: it was waiting for the socket
      },
      reject(error) {
        answered();
        held?.leave();
        const { code } = Object(error) as { code?: unknown };
        if (LAST_WORDS.has(code) && ctx.err() === undefined) resolve(take(ctx, pool, stopTimeout));
        else reject(error);
      },
    });
    Object.assign(statement.options, { onexecute });
    query.handler(statement);
  });
}

/** Where a held connection is, as far as its pool is concerned: in none of its queues. */
const elsewhere = { remove: () => undefined, push: () => undefined };
/** One for all: a stack trace for each query would be a good part of its cost. */
const GIVEN_BACK = new Error("the connection was given back");
/** What it does there when nothing runs: it waits. */
const idle = Object.assign(() => undefined, { release: true });

export class HeldConnection {
  readonly pool: Pool;
  readonly #connection: Connection;
  #current: Statement;
  /** Ours no more: given back, destroyed, or closed by the other side. */
  #over: Error | undefined;
  /** Its socket has failed, and its close is on its way; see `mend`. */
  #broken: Error | undefined;

  /** Takes `connection`, on which `lease` is being sent, out of its pool. */
  constructor(pool: Pool, connection: Connection, lease: Statement) {
    this.pool = pool;
    this.#connection = connection;
    this.#current = lease;
    connection.queue.remove(connection);
    connection.queue = elsewhere;
    connection.reserved = idle;
    connection.onclose = (error) => {
      this.#over = error;
      this.#current.reject(error); // the driver forgets what was sent after the error of a socket
      mend(connection);
    };
  }

  /** Sends a statement, when the one before it has settled. A broken connection rejects it. */
  execute(statement: Statement): void {
    const gone = this.#over ?? this.#broken;
    if (gone !== undefined) {
      statement.reject(gone);
      return;
    }
    const reject = statement.reject.bind(statement);
    statement.reject = (error) => {
      if (isBroken(error)) this.#broken = error;
      reject(error);
    };
    this.#current = statement;
    this.#connection.execute(statement);
  }

  /**
   * For a statement that is being resolved: the driver then gives the connection on by itself when
   * the server is ready. Otherwise use `giveBack`.
   */
  free(): void {
    if (this.#over !== undefined) return;
    this.#over = GIVEN_BACK;
    const connection = this.#connection;
    connection.reserved = null;
    connection.onclose = () => mend(connection);
  }

  /**
   * After an error of the connection itself: its close is on its way, and nothing may be written now;
   * see `#flush` and `mend`.
   */
  leave(): void {
    setTimeout(() => this.giveBack(), CLOSES_WITHIN).unref();
  }

  /** Healthy, if it was not destroyed. Does not wait: it can be used after one more round trip. */
  giveBack(): void {
    if (this.#over !== undefined) return;
    if (this.#broken !== undefined) {
      this.#broken = undefined;
      this.leave();
      return;
    }
    this.free();
    const ignore = (): void => undefined; // should it break now, the pool sees that itself
    const fence = this.pool.unsafe(FENCE);
    this.#connection.execute(statementOf(fence, { resolve: ignore, reject: ignore }));
  }

  /** Ends it at once, whatever runs there. Its place in the pool is free when the socket has closed. */
  destroy(): void {
    if (this.#over !== undefined) return;
    this.#over = new Error("the connection was destroyed");
    this.#flush();
    socketOf(() => this.#connection.terminate())?.destroy();
  }

  /**
   * The driver sends small messages together, a little later. One that has not left when the socket
   * closes would go before the first of the next connection in this place, which is never sent then.
   */
  #flush(): void {
    const spaces = this.pool.unsafe(" ".repeat(SENT_AT_ONCE));
    const ignore = (): void => undefined;
    this.#connection.execute(statementOf(spaces, { resolve: ignore, reject: ignore }));
  }
}
