/** How a statement is stopped on the server: KILL QUERY, sent over a connection of its own. */

/** A connection for KILL QUERY alone. It does not keep the process alive. */
export interface KillConnection {
  /** Settles when the connection is open, or when it cannot be opened. */
  readonly opened: PromiseLike<unknown>;
  query(sql: string): PromiseLike<unknown>;
  /** Calls `listener` when the connection has broken, at any time and possibly several times. */
  onLost(listener: () => void): void;
  /** Says goodbye to the server, then closes. Never throws. */
  end(): void;
  /** Closes the socket at once. Never throws. */
  destroy(): void;
}

/** A connection whose running statement can be killed. */
export interface KillTarget {
  /** The server's number for the connection. */
  readonly threadId: number;
  /** The address of the server, and the user. A thread id has a meaning only together with it. */
  readonly account: string;
  /** Opens another connection to the same server, as the same user. */
  openKillConnection(): KillConnection;
}

/** Milliseconds without a KILL after which the kill connection is closed. */
const IDLE_TIMEOUT = 10_000;

/** ER_NO_SUCH_THREAD */
const NO_SUCH_THREAD = 1094;

/** The kill connections of one pool: one for each account, and most pools have one account. */
export class KillConnections {
  readonly #byAccount = new Map<string, SharedKillConnection>();

  /**
   * Kills the statement that `target` runs. Resolves when the server has answered. Some servers let
   * the KILL take effect a moment later, so the caller then sends a fence (running-statement.ts).
   * Also resolves if the kill connection could not be opened, because then nothing was sent. Rejects
   * if the KILL may still arrive. The KILL is not sent again over a new connection, because the first
   * KILL could arrive after the second.
   */
  async kill(target: KillTarget): Promise<void> {
    let shared = this.#byAccount.get(target.account);
    if (shared === undefined) {
      const opened = new SharedKillConnection(target.openKillConnection(), () =>
        this.#discard(target.account, opened),
      );
      this.#byAccount.set(target.account, (shared = opened));
    }
    await shared.kill(target.threadId);
  }

  /**
   * Destroys the kill connection to the server of `target`, and with it all KILLs that were sent.
   */
  discard({ account }: KillTarget): void {
    const shared = this.#byAccount.get(account);
    if (shared !== undefined) this.#discard(account, shared);
  }

  /** Leaves the account's next kill connection alone, because a lost one can report its end late. */
  #discard(account: string, shared: SharedKillConnection): void {
    if (this.#byAccount.get(account) === shared) this.#byAccount.delete(account);
    shared.destroy();
  }
}

/** One kill connection that all statements of an account share. */
class SharedKillConnection {
  readonly #connection: KillConnection;
  readonly #lost: Promise<never>;
  readonly #discard: () => void;
  #pending = 0;
  #idleTimer: ReturnType<typeof setTimeout> | undefined;

  /** `discard` is called, possibly several times, when the connection must not be used any more. */
  constructor(connection: KillConnection, discard: () => void) {
    this.#connection = connection;
    this.#discard = discard;
    this.#lost = new Promise((_, reject) => {
      connection.onLost(() => {
        reject(new Error("the connection for KILL QUERY was lost"));
        discard();
      });
    });
    this.#lost.catch(() => undefined); // each `kill` reports it
  }

  async kill(threadId: number): Promise<void> {
    clearTimeout(this.#idleTimer);
    this.#pending++;
    let state: "opening" | "sent" | "given up" = "opening";
    const send = async (): Promise<void> => {
      await this.#connection.opened;
      if (state === "given up") return;
      state = "sent";
      await this.#send(threadId);
    };
    try {
      await Promise.race([send(), this.#lost]);
    } catch (error) {
      this.#discard();
      if ((state as string) === "sent") throw error;
      state = "given up";
    } finally {
      if (--this.#pending === 0) this.#closeWhenIdle();
    }
  }

  async #send(threadId: number): Promise<void> {
    try {
      await this.#connection.query(`KILL QUERY ${threadId}`);
    } catch (error) {
      if ((error as { errno?: unknown }).errno !== NO_SUCH_THREAD) throw error;
    }
  }

  #closeWhenIdle(): void {
    this.#idleTimer = setTimeout(() => {
      this.#connection.end();
      this.#discard();
    }, IDLE_TIMEOUT);
    // In Node a timer is an object with `unref`. Elsewhere it may be a number.
    (this.#idleTimer as { unref?: () => void }).unref?.();
  }

  destroy(): void {
    clearTimeout(this.#idleTimer);
    this.#connection.destroy();
  }
}
