/** The inside of `ioredis` 5 and 6, as far as it is used, and connections made after its clients. */
import type { Connection } from "../adapter/redis/link.ts";

/** A command, built and not sent. */
export interface Command {
  readonly name: string;
  readonly args: readonly unknown[];
  readonly promise: Promise<unknown>;
  reject(error: Error): void;
}

/** A Deque of the package denque. */
interface Queue {
  readonly length: number;
  peekAt(index: number): { readonly command: Command } | undefined;
  remove(index: number, count: number): unknown;
}

export interface Client {
  readonly status: string;
  readonly isCluster?: boolean;
  readonly options: { db?: number; retryStrategy?: unknown };
  readonly condition?: { readonly select?: number } | null;
  readonly stream?: { destroy(): unknown };
  /** What was not written yet. */
  readonly offlineQueue?: Queue;
  /** What was written to a connection that broke, and is to be sent again. */
  readonly prevCommandQueue?: Queue | null;
  duplicate(overrides: object): Client;
  connect(): Promise<unknown>;
  disconnect(): void;
  call(...args: string[]): Promise<unknown>;
  sendCommand(command: Command): unknown;
  on(event: "error" | "end", listener: () => void): unknown;
}

export class IoredisConnection implements Connection {
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
      // Both tell the caller that it is over while the server goes on, and pops for nobody.
      commandTimeout: undefined,
      blockingTimeout: undefined,
    });
    this.client.on("error", () => undefined); // what was sent is told, and nobody else cares
  }

  get connected(): boolean {
    return this.client.status === "ready";
  }

  async connect(): Promise<unknown> {
    this.client.connect().catch(() => undefined); // fails with the first attempt of many
    const id = await this.client.call("CLIENT", "ID");
    this.#neverAgain();
    return id;
  }

  command([name = "", ...args]: string[]): Promise<unknown> {
    return this.client.call(name, ...args);
  }

  end(): void {
    this.#neverAgain();
    this.client.disconnect();
    this.client.stream?.destroy(); // which would wait for the server's goodbye
  }

  #neverAgain(): void {
    this.client.options.retryStrategy = null;
  }
}

/** Takes a command out of the client's queues, as ioredis does itself when a connection breaks. */
export function withdraw(client: Client, command: Command, reason: Error): void {
  const again = client.status === "ready" ? undefined : client.prevCommandQueue;
  for (const queue of [client.offlineQueue, again]) {
    for (let i = 0; i < (queue?.length ?? 0); i++) {
      if (queue?.peekAt(i)?.command !== command) continue;
      queue.remove(i, 1);
      command.reject(reason);
      return;
    }
  }
}
