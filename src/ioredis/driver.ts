/**
 * What the adapter uses of a client of `ioredis` 5 and 6. driver.test.ts fails if it changes.
 *
 * Not documented: the two queues and what they contain, `condition`, `stream`, that a command's
 * method calls `this.sendCommand` with a built command, that it reads `this.options`, and that
 * `options.retryStrategy` is read when a connection closes.
 * Source: https://github.com/redis/ioredis/tree/main/lib
 */

/** A command that is built. It may have been sent or not. */
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
  /** `select` is the number of the selected database. */
  readonly condition?: { readonly select?: number } | null;
  readonly stream?: { destroy(): unknown };
  /** The commands that were not written yet. */
  readonly offlineQueue?: Queue;
  /** The commands that were written to a connection that broke, and that will be sent again. */
  readonly prevCommandQueue?: Queue | null;
  duplicate(overrides: object): Client;
  connect(): Promise<unknown>;
  disconnect(): void;
  call(...args: string[]): Promise<unknown>;
  sendCommand(command: Command): unknown;
  on(event: "error" | "end", listener: () => void): unknown;
}

/**
 * Removes a command from the client's queues and rejects it, as ioredis does itself when a connection
 * breaks. Does nothing if the command is in no queue.
 */
export function withdraw(client: Client, command: Command, reason: Error): void {
  const sentAgain = client.status === "ready" ? undefined : client.prevCommandQueue;
  for (const queue of [client.offlineQueue, sentAgain]) {
    for (let i = 0; i < (queue?.length ?? 0); i++) {
      if (queue?.peekAt(i)?.command !== command) continue;
      queue.remove(i, 1);
      command.reject(reason);
      return;
    }
  }
}
