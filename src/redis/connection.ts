/** The inside of `redis` 6, as far as it is used, and connections made after its clients. */
import type { Connection } from "../adapter/redis/link.ts";

export interface Client {
  readonly isOpen: boolean;
  readonly isReady: boolean;
  readonly options?: { readonly socket?: { readonly reconnectStrategy?: unknown } };
  readonly clientSideCache?: unknown;
  withAbortSignal(signal: AbortSignal): Client;
  duplicate(overrides: object): Client;
  connect(): Promise<unknown>;
  destroy(): void;
  sendCommand(args: unknown, options?: unknown): Promise<unknown>;
  on(
    event: "connect" | "reconnecting" | "error" | "end" | "terminated",
    listener: () => void,
  ): unknown;
}

export class RedisConnection implements Connection {
  readonly client: Client;
  /** It has been connected, or has been ended: either way it must not connect any more. */
  #final = false;
  #ended = false;
  /** There is a socket that can be destroyed. */
  #socket = false;

  constructor(model: Client) {
    const strategy = model.options?.socket?.reconnectStrategy;
    this.client = model.duplicate({
      socket: {
        ...model.options?.socket,
        reconnectStrategy: (retries: number, cause: Error) =>
          this.#final ? false : delay(strategy, retries, cause),
      },
      // Both would speak of what is cached on another connection.
      clientSideCache: undefined,
      emitInvalidate: undefined,
      // This may replace the socket, and with it the CLIENT ID.
      maintNotifications: "disabled",
    });
    this.client.on("error", () => undefined); // what was sent is told, and nobody else cares
    this.client.on("reconnecting", () => (this.#socket = false));
    this.client.on("connect", () => {
      this.#socket = true;
      if (this.#ended) this.#destroy();
    });
  }

  get connected(): boolean {
    return this.client.isReady;
  }

  async connect(): Promise<unknown> {
    await this.client.connect();
    this.#final = true;
    return this.client.sendCommand(["CLIENT", "ID"]);
  }

  command(args: string[]): Promise<unknown> {
    return this.client.sendCommand(args);
  }

  end(): void {
    this.#final = true;
    this.#ended = true;
    // A client that is destroyed while its socket connects goes on connecting, and stays.
    if (this.#socket) this.#destroy();
  }

  #destroy(): void {
    try {
      this.client.destroy();
    } catch {
      // Some versions throw if it is closed already.
    }
  }
}

/** What the client's own strategy says; without one, what the driver does by default. */
function delay(strategy: unknown, retries: number, cause: Error): unknown {
  if (typeof strategy === "function") return (strategy as Strategy)(retries, cause);
  if (typeof strategy === "number" || strategy === false) return strategy;
  return Math.min(2 ** retries * 50, 2_000) + Math.floor(Math.random() * 200);
}

type Strategy = (retries: number, cause: Error) => unknown;
