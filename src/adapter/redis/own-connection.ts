/** A connection to Redis that the adapter opens itself, to run blocking commands or to stop them. */

/** What a driver provides for one connection. */
export interface DriverConnection {
  /**
   * Connects and resolves with the CLIENT ID. Keeps trying for as long as the user's client would.
   */
  connect(): Promise<unknown>;
  /** Whether it is connected. Once a connection is lost, it never connects again. */
  readonly connected: boolean;
  /** Sends a command. */
  command(args: string[]): PromiseLike<unknown>;
  /**
   * Closes the connection at once and fails its running command. May be called at any time and
   * repeatedly. Never throws.
   */
  end(): void;
}

export class OwnConnection<C extends DriverConnection> {
  readonly driver: C;
  /**
   * Resolves with the CLIENT ID when the connection is ready. Rejects if the connection never will
   * be. A rejection may be ignored.
   */
  readonly id: Promise<string>;
  readonly #opened: Promise<unknown>;
  #state: "opening" | "ready" | "dead" = "opening";
  #rejectId!: (error: unknown) => void;

  constructor(driver: C) {
    this.driver = driver;
    this.#opened = driver.connect();
    this.id = new Promise((resolve, reject) => {
      this.#rejectId = reject;
      this.#opened.then((id) => {
        if (this.#state === "opening") this.#state = "ready";
        resolve(String(id));
      }, this.#close);
    });
    this.id.catch(() => undefined);
  }

  get state(): "opening" | "ready" | "dead" {
    return this.#state === "ready" && !this.driver.connected ? "dead" : this.#state;
  }

  /** Closes the connection at once, and fails its running command. */
  destroy(): void {
    // Between two attempts to connect, a driver may never settle the promise of `connect`.
    this.#close(new Error("the connection was closed"));
    // A driver that is told to close while it connects may finish connecting.
    const closeAgain = (): void => this.driver.end();
    this.#opened.then(closeAgain, closeAgain);
  }

  readonly #close = (error: unknown): void => {
    this.#state = "dead";
    this.#rejectId(error);
    this.driver.end();
  };
}
