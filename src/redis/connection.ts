/** A connection for blocking commands, which is a duplicate of the user's client. */
import type { DriverConnection } from "../adapter/redis/own-connection.ts";
import type { Client } from "./driver.ts";

export class RedisConnection implements DriverConnection {
  readonly client: Client;
  /** Whether it has been connected or was ended. In both cases it must not connect any more. */
  #mustNotConnect = false;
  #isEnded = false;
  /** Whether there is a socket that can be destroyed. */
  #hasSocket = false;

  constructor(model: Client) {
    const strategy = model.options?.socket?.reconnectStrategy;
    this.client = model.duplicate({
      socket: {
        ...model.options?.socket,
        reconnectStrategy: (retries: number, cause: Error) =>
          this.#mustNotConnect ? false : delay(strategy, retries, cause),
      },
      // Both would report changes of what is cached on another connection.
      clientSideCache: undefined,
      emitInvalidate: undefined,
      // It may replace the socket, and with it the CLIENT ID.
      maintNotifications: "disabled",
    });
    this.client.on("error", () => undefined); // each command reports its own failure
    this.client.on("reconnecting", () => (this.#hasSocket = false));
    this.client.on("connect", () => {
      this.#hasSocket = true;
      if (this.#isEnded) this.#destroy();
    });
  }

  get connected(): boolean {
    return this.client.isReady;
  }

  async connect(): Promise<unknown> {
    await this.client.connect();
    this.#mustNotConnect = true;
    return this.client.sendCommand(["CLIENT", "ID"]);
  }

  command(args: string[]): Promise<unknown> {
    return this.client.sendCommand(args);
  }

  end(): void {
    this.#mustNotConnect = true;
    this.#isEnded = true;
    // A client that is destroyed while its socket connects finishes connecting and stays open.
    if (this.#hasSocket) this.#destroy();
  }

  #destroy(): void {
    try {
      this.client.destroy();
    } catch {
      // Some versions throw if the client is closed already.
    }
  }
}

/** Returns what the client's own reconnect strategy says, or else what the driver does by default. */
function delay(strategy: unknown, retries: number, cause: Error): unknown {
  if (typeof strategy === "function") return (strategy as Strategy)(retries, cause);
  if (typeof strategy === "number" || strategy === false) return strategy;
  return Math.min(2 ** retries * 50, 2_000) + Math.floor(Math.random() * 200);
}

type Strategy = (retries: number, cause: Error) => unknown;
