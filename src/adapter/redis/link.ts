/** One connection of ours to Redis, for blocking commands or to end them. */

/** What a driver has to say about it. */
export interface Connection {
  /** Connects, trying for as long as the user's client would, and resolves with the CLIENT ID. */
  connect(): Promise<unknown>;
  /** Whether it is connected. From when it no longer is, it never will be again. */
  readonly connected: boolean;
  /** Sends a command as it is. */
  command(args: string[]): PromiseLike<unknown>;
  /** Closes it at once, and fails what it is doing. May be called at any time, and again. Never throws. */
  end(): void;
}

export class Link<C extends Connection> {
  readonly connection: C;
  /** Its CLIENT ID, as soon as it is ready. Rejects if it never will be; nobody has to listen. */
  readonly id: Promise<string>;
  readonly #opened: Promise<unknown>;
  #state: "opening" | "ready" | "dead" = "opening";
  #fail!: (error: unknown) => void;

  constructor(connection: C) {
    this.connection = connection;
    this.#opened = connection.connect();
    this.id = new Promise((resolve, reject) => {
      this.#fail = reject;
      this.#opened.then((id) => {
        if (this.#state === "opening") this.#state = "ready";
        resolve(String(id));
      }, this.#broken);
    });
    this.id.catch(() => undefined);
  }

  get state(): "opening" | "ready" | "dead" {
    return this.#state === "ready" && !this.connection.connected ? "dead" : this.#state;
  }

  /** Ends it at once, and what it is doing. */
  destroy(): void {
    // A driver that is between two attempts to connect may never settle what waits for it.
    this.#broken(new Error("the connection was closed"));
    // And one that was told to close in the midst of an attempt may have connected all the same.
    const again = (): void => this.connection.end();
    this.#opened.then(again, again);
  }

  readonly #broken = (error: unknown): void => {
    this.#state = "dead";
    this.#fail(error);
    this.connection.end();
  };
}
