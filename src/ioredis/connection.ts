/** A connection for blocking commands, which is a duplicate of the user's client. */
import type { DriverConnection } from "../adapter/redis/own-connection.ts";
import type { Client } from "./driver.ts";

export class IoredisConnection implements DriverConnection {
  readonly client: Client;

  constructor(model: Client) {
    this.client = model.duplicate({
      lazyConnect: true,
      db: model.condition?.select ?? model.options.db,
      enableOfflineQueue: true,
      enableAutoPipelining: false,
      autoResubscribe: false,
      // A pop that is sent twice pops twice.
      autoResendUnfulfilledCommands: false,
      reconnectOnError: null,
      // Both would reject the command while the server goes on, and pops an element that no caller gets.
      commandTimeout: undefined,
      blockingTimeout: undefined,
    });
    this.client.on("error", () => undefined); // each command reports its own failure
  }

  get connected(): boolean {
    return this.client.status === "ready";
  }

  async connect(): Promise<unknown> {
    // The promise rejects if the first of many attempts fails.
    this.client.connect().catch(() => undefined);
    const id = await this.client.call("CLIENT", "ID");
    this.#forbidReconnect();
    return id;
  }

  command([name = "", ...args]: string[]): Promise<unknown> {
    return this.client.call(name, ...args);
  }

  end(): void {
    this.#forbidReconnect();
    this.client.disconnect();
    this.client.stream?.destroy(); // `disconnect` waits for the server to close its side
  }

  #forbidReconnect(): void {
    this.client.options.retryStrategy = null;
  }
}
