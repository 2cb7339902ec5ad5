/** How a statement is stopped on the server: KILL QUERY, sent over a connection of its own. */
import type { StopProof } from "../operation.ts";
import { killMessage, threadOf, type Thread, type ThreadOwner } from "./thread.ts";

/** A connection for KILL QUERY alone. It does not keep the process alive. */
export interface KillConnection {
  /** Settles when the connection is open, or when it cannot be opened. */
  readonly opened: PromiseLike<unknown>;
  /** The connection's own number, as the handshake states it. Known once it is open. */
  readonly threadId: number;
  /** Sends several statements in one message. */
  query(sql: string): PromiseLike<unknown>;
  /** Sends a query. Resolves with whether it has found a row. */
  finds(sql: string): PromiseLike<boolean>;
  /** Calls `listener` when the connection has broken, at any time and possibly several times. */
  onLost(listener: () => void): void;
  /** Says goodbye to the server after everything that was sent, then closes. Never throws. */
  end(): void;
  /** Closes the socket at once. Never throws. */
  destroy(): void;
}

/** A connection whose running statement can be killed. */
export interface KillTarget extends ThreadOwner {
  /** Opens another connection to the same address, as the same user. */
  openKillConnection(): KillConnection;
}

/** Milliseconds without a KILL after which the kill connection is closed. */
const IDLE_TIMEOUT = 10_000;

/** ER_NO_SUCH_THREAD */
const NO_SUCH_THREAD = 1094;

/**
 * Returns a query that finds a row if the thread runs nothing. MariaDB calls an idle thread "Killed"
 * after a KILL QUERY, until its next statement.
 */
function idleThread(thread: Thread): string {
  return `select 1 from ${thread.tables.threads} where id = ${thread.id} and command in ('Sleep', 'Killed') and coalesce(state, '') = '' and info is null`;
}

/** How often a thread is looked for, each time over a new connection, before it is given up. */
const MAX_MISSES = 8;

/** The kill connections of one pool: usually one for each account, and most pools have one account. */
export class KillConnections {
  /** Without a retired one, whose last KILLs are still under way, each account has at most one. */
  readonly #byAccount = new Map<string, Set<SharedKillConnection>>();
  /** How often a thread was not found since the last time it was. */
  readonly #misses = new WeakMap<Thread, number>();

  /**
   * Kills the statement that `target` runs, on the server that runs it. Resolves with "proven" when
   * that server has answered. Some servers let the KILL take effect a moment later, so the caller
   * then sends a fence (running-statement.ts).
   *
   * Resolves with "unsent" if nothing was killed: the kill connection could not be opened, or the
   * server at its address does not have the thread of `target`. The next KILL then opens another
   * connection, which may reach another server.
   *
   * Rejects if the KILL may still arrive. It is not sent again over a new connection, because the
   * first KILL could arrive after the second. Also rejects if the thread is unknown or was not found
   * several times. Then nothing was killed, and `target` has to be destroyed.
   */
  async kill(target: KillTarget): Promise<StopProof> {
    const thread = threadOf(target);
    if (thread === undefined) {
      throw new Error("the server has not said which of its threads the connection is");
    }
    const shared = this.#current(target);
    const outcome = await shared.kill(thread);
    if (outcome === "not found") {
      shared.retire();
      const misses = (this.#misses.get(thread) ?? 0) + 1;
      this.#misses.set(thread, misses);
      if (misses >= MAX_MISSES) {
        throw new Error(`no server at the connection's address has its thread ${thread.id}`);
      }
      return "unsent";
    }
    this.#misses.delete(thread);
    return outcome === "killed" ? "proven" : "unsent";
  }

  /**
   * Returns whether the server says that `target` runs nothing. Also false if the server cannot be
   * asked. Opens no connection. Never rejects.
   */
  async isIdle(target: KillTarget): Promise<boolean> {
    const thread = threadOf(target);
    if (thread === undefined) return false;
    for (const shared of this.#byAccount.get(target.account) ?? []) {
      if (!shared.isRetired) return await shared.isIdle(thread);
    }
    return false;
  }

  /**
   * Destroys the kill connections to the address of `target`, and with them all KILLs that were sent.
   */
  discard({ account }: KillTarget): void {
    for (const shared of this.#byAccount.get(account) ?? []) shared.destroy();
  }

  #current(target: KillTarget): SharedKillConnection {
    const { account } = target;
    let all = this.#byAccount.get(account);
    if (all === undefined) this.#byAccount.set(account, (all = new Set()));
    for (const shared of all) if (!shared.isRetired) return shared;
    const opened = new SharedKillConnection(target.openKillConnection(), () => {
      all.delete(opened);
      if (all.size === 0 && this.#byAccount.get(account) === all) this.#byAccount.delete(account);
    });
    all.add(opened);
    return opened;
  }
}

/** One kill connection that all statements of an account share. */
class SharedKillConnection {
  /** Whether it takes no new KILL. It may have led to another server. */
  isRetired = false;
  readonly #connection: KillConnection;
  readonly #lost: Promise<never>;
  #lose: ((error: Error) => void) | undefined;
  readonly #onClosed: () => void;
  #isFirst = true;
  #pending = 0;
  #idleTimer: ReturnType<typeof setTimeout> | undefined;

  /** `onClosed` is called, possibly several times, when the connection must not be used any more. */
  constructor(connection: KillConnection, onClosed: () => void) {
    this.#connection = connection;
    this.#onClosed = onClosed;
    this.#lost = new Promise((_, reject) => (this.#lose = reject));
    this.#lost.catch(() => undefined); // each `kill` reports it
    connection.onLost(() => this.destroy());
  }

  /** Resolves with "not sent" if the connection could not be opened. Rejects if the KILL may arrive. */
  async kill(thread: Thread): Promise<"killed" | "not found" | "not sent"> {
    clearTimeout(this.#idleTimer);
    this.#pending++;
    let state: "opening" | "sent" | "given up" = "opening";
    const send = async (): Promise<"killed" | "not found" | "not sent"> => {
      await this.#connection.opened;
      if (state === "given up") return "not sent";
      state = "sent";
      return await this.#send(thread);
    };
    try {
      return await Promise.race([send(), this.#lost]);
    } catch (error) {
      this.destroy();
      if ((state as string) === "sent") throw error;
      state = "given up";
      return "not sent";
    } finally {
      if (--this.#pending === 0) this.#closeWhenIdle();
    }
  }

  async #send(thread: Thread): Promise<"killed" | "not found"> {
    const message = killMessage(thread, this.#connection.threadId, this.#isFirst);
    this.#isFirst = false;
    try {
      await this.#connection.query(message);
      return "killed";
    } catch (error) {
      if ((error as { errno?: unknown }).errno === NO_SUCH_THREAD) return "not found";
      throw error;
    }
  }

  /** Closes the connection when the KILLs that were sent have been answered. */
  retire(): void {
    this.isRetired = true;
    if (this.#pending === 0) this.#end();
  }

  /** Asks whether a thread runs nothing. False if there is no answer. */
  async isIdle(thread: Thread): Promise<boolean> {
    clearTimeout(this.#idleTimer);
    this.#pending++;
    try {
      await Promise.race([this.#connection.opened, this.#lost]);
      return await Promise.race([this.#connection.finds(idleThread(thread)), this.#lost]);
    } catch {
      return false; // the next KILL reports a broken connection
    } finally {
      if (--this.#pending === 0) this.#closeWhenIdle();
    }
  }

  #closeWhenIdle(): void {
    if (this.isRetired) {
      this.#end();
      return;
    }
    this.#idleTimer = setTimeout(() => this.#end(), IDLE_TIMEOUT);
    // In Node a timer is an object with `unref`. Elsewhere it may be a number.
    (this.#idleTimer as { unref?: () => void }).unref?.();
  }

  #end(): void {
    this.#connection.end();
    this.destroy();
  }

  /** Also settles the KILLs that wait for an answer, because mysql2 reports no end of its own. */
  destroy(): void {
    this.#lose?.(new Error("the connection for KILL QUERY was lost"));
    this.isRetired = true;
    clearTimeout(this.#idleTimer);
    this.#onClosed();
    this.#connection.destroy();
  }
}
