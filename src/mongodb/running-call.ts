/**
 * How one call is reached on the server while it runs there. Compared with the driver's source:
 * https://github.com/mongodb/node-mongodb-native/tree/main/src
 *
 * The driver's own `signal` closes the socket. That stops a read (the server looks for those who
 * have left), and says nothing to a write; and it costs a connection each time. `killSessions`
 * stops both and costs nothing. It hits all that its session is doing, so each call has a session
 * of its own, which the driver would have made for it anyway, and which nobody else is given before
 * the kill has been answered. The signal is what remains where that does not help.
 */
import { remaining, type Context } from "../index.ts";
import type { Client, Options, Session, Target } from "./driver.ts";

/** How long a `killSessions` may take, in milliseconds: it waits for a connection like any other. */
const KILL_WITHIN = 500;
const MOST_MS = 2 ** 31 - 1;

/** The `code` of the reason with which our signal aborts. Bulk writes copy it to their own error. */
const CLOSED = "EIGHTYSIX_CLOSED";
const INTERRUPTED = [11601, 237, 43]; // Interrupted; of a cursor: CursorKilled, CursorNotFound
const MAX_TIME_EXPIRED = 50;

export class RunningCall {
  /** What the driver is to be given in place of the caller's options. */
  readonly options: Options;
  readonly #ctx: Context;
  readonly #client: Client;
  readonly #own: Session | undefined;
  readonly #killed: Session | undefined;
  readonly #untouched: number | undefined;
  readonly #socket = new AbortController();
  /** The context's time as the server is to keep it; nothing, if the caller allows it less. */
  readonly limit: { maxTimeMS?: number };
  #commands = 0;

  constructor(ctx: Context, target: Target, asked: Options) {
    this.#ctx = ctx;
    this.#client = target.client;
    const left = Math.max(1, Math.ceil(remaining(ctx)));
    this.limit = left <= Math.min(asked.maxTimeMS || Infinity, MOST_MS) ? { maxTimeMS: left } : {};
    const options: Options = { ...asked, ...this.limit, signal: this.#socket.signal };
    // The driver refuses a session for a write that is not acknowledged, which takes no time.
    const { w } = asked.writeConcern ?? target.writeConcern ?? {};
    if (asked.session === undefined && w !== 0) {
      options.session = this.#own = this.#client.startSession({ causalConsistency: false });
      // `lastUse` is set when the command is made, just before it is sent: there is no other sign.
      this.#untouched = this.#own.serverSession.lastUse -= 1;
    }
    this.options = options;
    // One that may run on a secondary cannot be found again. A session of the caller's may be doing
    // something else as well, except that a transaction does one thing at a time.
    const preference = asked.readPreference ?? target.readPreference ?? "primary";
    const mode = typeof preference === "string" ? preference : preference.mode;
    const session = this.#own ?? (asked.session?.inTransaction() ? asked.session : undefined);
    if (mode === "primary") this.#killed = session;
  }

  /** Runs one command of the call: a cursor has several. */
  async run<T>(command: () => PromiseLike<T>): Promise<T> {
    this.#commands++;
    try {
      return await command();
    } catch (error) {
      // The server's clock and ours may tell the same deadline in either order.
      const late = this.limit.maxTimeMS !== undefined && codeOf(error) === MAX_TIME_EXPIRED;
      throw late ? (this.#ctx.err() ?? error) : error;
    }
  }

  /** Resolves when this can stop nothing more; rejects if only the end of the socket helps. */
  async stop(): Promise<void> {
    const unsent = this.#own !== undefined && this.#own.serverSession.lastUse === this.#untouched;
    const fetching = this.#commands > 1; // to that the signal means a `killCursors`, where it runs
    if (unsent || (this.#killed === undefined && fetching)) {
      this.close();
      return;
    }
    if (this.#killed === undefined) throw new Error("it cannot be killed, only left");
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new Error("no answer")), KILL_WITHIN);
    try {
      const killSessions = [this.#killed.serverSession.id];
      await this.#client.db("admin").command({ killSessions }, { signal: late.signal });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Leaves the queue for a connection, or closes the socket on which an answer is awaited. */
  close(): void {
    // Never the context's own error: of an "AbortError" the driver would throw the cause instead.
    this.#socket.abort(Object.assign(new Error("its context is done"), { code: CLOSED }));
  }

  /** Nothing more will be asked of it. */
  over(state: "stopped" | "abandoned"): void {
    // What was lost may still hold the session, and make the next write in it wait.
    if (state === "abandoned" && this.#own !== undefined) this.#own.serverSession.isDirty = true;
    void this.#own?.endSession();
  }
}

/** Whether `stop` or `close` has done it. */
export function isStop(error: unknown): boolean {
  const code = codeOf(error);
  return code === CLOSED || INTERRUPTED.includes(code as number);
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null | undefined)?.code;
}
