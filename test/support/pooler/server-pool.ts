/** Server connections that clients take and give back, for transaction mode. */
import type { ServerConnection } from "./server-connection.ts";

export class ServerPool {
  readonly #open: () => Promise<ServerConnection>;
  readonly #size: number;
  readonly #idle: ServerConnection[] = [];
  readonly #waiting: ((server: ServerConnection) => void)[] = [];
  #count = 0;

  constructor(open: () => Promise<ServerConnection>, size: number) {
    this.#open = open;
    this.#size = size;
  }

  /** Resolves with the server that was given back first, or with a new one. */
  take(): Promise<ServerConnection> {
    const server = this.#idle.shift();
    if (server !== undefined) return Promise.resolve(server);
    if (this.#count < this.#size) {
      this.#count++;
      return this.#open();
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  giveBack(server: ServerConnection): void {
    server.owner = undefined;
    const next = this.#waiting.shift();
    if (next === undefined) this.#idle.push(server);
    else next(server);
  }

  /** Closes a server that cannot serve another client, and opens another one if a client waits. */
  discard(server: ServerConnection): void {
    server.close();
    const next = this.#waiting.shift();
    if (next === undefined) this.#count--;
    else void this.#open().then(next);
  }
}
