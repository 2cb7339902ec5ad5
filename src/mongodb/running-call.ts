/**
 * One call of the driver, and how it is stopped on the server. Compared with the driver's source:
 * https://github.com/mongodb/node-mongodb-native/tree/main/src
 *
 * There are two ways to stop a call:
 * - The driver's own `signal` closes the socket. That stops a read, because the server looks whether
 *   its client is still connected. It does not stop a write. And it costs a connection each time.
 * - `killSessions` stops reads and writes and costs no connection. It stops everything that runs in a
 *   session. So each call has a session of its own. The driver would have created one for the call
 *   anyway. No other call gets that session before the server has answered the kill.
 *
 * The signal is used where `killSessions` does not help.
 */
import type { OperationEnd, Resolver, StopProof } from "../adapter/index.ts";
import { remaining, type Context } from "../index.ts";
import type { CallOptions, ClientSession, CollectionOrDb, MongoClient } from "./driver.ts";

/** How long a `killSessions` may take, in milliseconds. It waits for a connection like any command. */
const KILL_WITHIN = 500;
/** The longest `maxTimeMS`. */
const LONGEST = 2 ** 31 - 1;

/** The `code` of the reason with which the signal aborts. Bulk writes copy it to their own error. */
const CLOSED = "EIGHTYSIX_CLOSED";
const INTERRUPTED = [11601, 237, 43]; // Interrupted; for a cursor CursorKilled, CursorNotFound
const MAX_TIME_EXPIRED = 50;

export class RunningCall {
  /** The options for the driver, in place of the caller's. */
  readonly options: CallOptions;
  readonly #ctx: Context;
  readonly #client: MongoClient;
  /** The session of this call, unless the caller has passed one. */
  readonly #ownSession: ClientSession | undefined;
  /** The session in which `killSessions` stops this call and nothing else. */
  readonly #killableSession: ClientSession | undefined;
  /** The `lastUse` of the own session until a command is sent in it. */
  readonly #lastUseBefore: number | undefined;
  readonly #socket = new AbortController();
  /** The remaining time, for the server to enforce. Empty if the caller has set a shorter limit. */
  readonly limit: { maxTimeMS?: number };
  #commands = 0;

  constructor(ctx: Context, target: CollectionOrDb, callOptions: CallOptions) {
    this.#ctx = ctx;
    this.#client = target.client;
    const left = Math.max(1, Math.ceil(remaining(ctx)));
    const shortest = Math.min(callOptions.maxTimeMS || Infinity, LONGEST);
    this.limit = left <= shortest ? { maxTimeMS: left } : {};
    const options: CallOptions = { ...callOptions, ...this.limit, signal: this.#socket.signal };
    // The driver rejects a session for an unacknowledged write. Such a write takes no time anyway.
    const { w } = callOptions.writeConcern ?? target.writeConcern ?? {};
    if (callOptions.session === undefined && w !== 0) {
      options.session = this.#ownSession = this.#client.startSession({ causalConsistency: false });
      // The driver sets `lastUse` when it makes a command, just before it sends the command. Nothing
      // else shows that a command was sent.
      this.#lastUseBefore = this.#ownSession.serverSession.lastUse -= 1;
    }
    this.options = options;
    // A call that may run on a secondary cannot be found there again. A session of the caller may run
    // something else too, except in a transaction, which runs one operation at a time.
    const preference = callOptions.readPreference ?? target.readPreference ?? "primary";
    const mode = typeof preference === "string" ? preference : preference.mode;
    const session =
      this.#ownSession ?? (callOptions.session?.inTransaction() ? callOptions.session : undefined);
    if (mode === "primary") this.#killableSession = session;
  }

  /** Runs one command of the call, and passes its outcome to `resolver`. A cursor has several. */
  run<T>(resolver: Resolver<T>, command: () => PromiseLike<T>): void {
    this.#commands++;
    command().then(
      (value) => resolver.resolve(value),
      (error: unknown) => {
        // The server and this process see the same deadline pass in either order.
        const isLate = this.limit.maxTimeMS !== undefined && codeOf(error) === MAX_TIME_EXPIRED;
        const reason = isLate ? (this.#ctx.err() ?? error) : error;
        resolver.reject(reason, { answered: !isNetworkError(error) });
      },
    );
  }

  /** Resolves when this stop can hit nothing more. Rejects if only closing the socket helps. */
  async stop(): Promise<StopProof> {
    const session = this.#ownSession?.serverSession;
    const isUnsent = session !== undefined && session.lastUse === this.#lastUseBefore;
    // For a later batch of a cursor, the driver answers the signal with `killCursors` on the server
    // that runs the cursor.
    const isLaterBatch = this.#commands > 1;
    if (isUnsent || (this.#killableSession === undefined && isLaterBatch)) {
      this.close();
      return "proven"; // nothing was sent that could hit another call
    }
    if (this.#killableSession === undefined) {
      throw new Error("killSessions cannot stop this call alone");
    }
    const timeout = new AbortController();
    const timer = setTimeout(
      () => timeout.abort(new Error("killSessions was not answered in time")),
      KILL_WITHIN,
    );
    try {
      const killSessions = [this.#killableSession.serverSession.id];
      await this.#client.db("admin").command({ killSessions }, { signal: timeout.signal });
      return "proven"; // the server has answered
    } finally {
      clearTimeout(timer);
    }
  }

  /** Leaves the queue for a connection, or closes the socket on which the call waits for an answer. */
  close(): void {
    // The reason is never the context's own error: for an "AbortError" the driver throws its cause.
    this.#socket.abort(Object.assign(new Error("the context is done"), { code: CLOSED }));
  }

  /** Gives the session back. It is called once, after the last command. */
  release({ state }: Pick<OperationEnd, "state">): void {
    // An abandoned call may still run in the session and would block the next write there.
    if (state === "abandoned" && this.#ownSession !== undefined) {
      this.#ownSession.serverSession.isDirty = true;
    }
    void this.#ownSession?.endSession();
  }
}

/** Whether `stop` or `close` has caused this error. */
export function isStop(error: unknown): boolean {
  const code = codeOf(error);
  return code === CLOSED || INTERRUPTED.includes(code as number);
}

/** Whether the driver reports a broken connection, so that the command may still run. */
function isNetworkError(error: unknown): boolean {
  const { name } = Object(error) as { name?: unknown };
  return /^Mongo(?:Network|PoolCleared)/.test(String(name));
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null | undefined)?.code;
}
