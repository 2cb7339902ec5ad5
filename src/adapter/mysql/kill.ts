/** KILL QUERY, and the connections that it is sent over. */

/** A connection of ours, for nothing but KILL QUERY. It keeps no process alive. */
export interface Control {
  /** Settles when it is open, or cannot be opened. */
  readonly opened: PromiseLike<unknown>;
  query(sql: string): PromiseLike<unknown>;
  /** Called when it is no good any more, at any time and as often as the driver likes. */
  onLost(lost: () => void): void;
  /** Says goodbye to the server. Never throws. */
  end(): void;
  /** Closes the socket, at once. Never throws. */
  destroy(): void;
}

/** What can be killed. */
export interface Target {
  /** The server's number for the connection. */
  readonly threadId: number;
  /** Which server that is, and which user: thread ids mean something there only. */
  readonly account: string;
  /** Another connection to the same server, with the same account. */
  connectAgain(): Control;
}

/** A connection that nothing was sent over for this long is closed: in milliseconds. */
const IDLE = 10_000;

/** ER_NO_SUCH_THREAD */
const NO_SUCH_THREAD = 1094;

/** Of one pool: one for each server that its connections lead to, which is one as a rule. */
export class Controls {
  readonly #lines = new Map<string, Line>();

  /**
   * Resolves when the server has answered, so that the KILL can hit nothing from then on but what
   * `target` runs already. Rejects if that is not known. Not tried again over a new connection: the
   * first could still arrive.
   */
  async kill(target: Target): Promise<void> {
    let line = this.#lines.get(target.account);
    if (line === undefined) {
      line = new Line(target.connectAgain(), () => this.discard(target));
      this.#lines.set(target.account, line);
    }
    await line.kill(target.threadId);
  }

  /** Closes the connection to that server, whatever is under way there. */
  discard(target: Target): void {
    this.#lines.get(target.account)?.destroy();
    this.#lines.delete(target.account);
  }
}

class Line {
  readonly #control: Control;
  readonly #lost: Promise<never>;
  readonly #over: () => void;
  #pending = 0;
  #idle: ReturnType<typeof setTimeout> | undefined;

  constructor(control: Control, over: () => void) {
    this.#control = control;
    this.#over = over;
    this.#lost = new Promise((_, reject) => {
      control.onLost(() => {
        reject(new Error("the connection for KILL QUERY was lost"));
        over();
      });
    });
    this.#lost.catch(() => undefined); // whoever kills is told
  }

  async kill(threadId: number): Promise<void> {
    clearTimeout(this.#idle);
    this.#pending++;
    try {
      await Promise.race([this.#send(threadId), this.#lost]);
    } catch (error) {
      this.#over();
      throw error;
    } finally {
      if (--this.#pending === 0) this.#rest();
    }
  }

  async #send(threadId: number): Promise<void> {
    await this.#control.opened;
    try {
      await this.#control.query(`KILL QUERY ${threadId}`);
    } catch (error) {
      if ((error as { errno?: unknown }).errno !== NO_SUCH_THREAD) throw error;
    }
  }

  #rest(): void {
    this.#idle = setTimeout(() => {
      this.#control.end();
      this.#over();
    }, IDLE);
    // Node's timers are objects.
    (this.#idle as { unref?: () => void }).unref?.();
  }

  destroy(): void {
    clearTimeout(this.#idle);
    this.#control.destroy();
  }
}
