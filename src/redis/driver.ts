/**
 * What the adapter uses of a client of `redis` 6. driver.test.ts fails if it changes.
 *
 * Not documented: the message of the error of an aborted command, which has no name or code of its
 * own, the event "terminated", `clientSideCache` on a client, and that "connect" and "reconnecting"
 * say when there is a socket that can be destroyed.
 * Source: https://github.com/redis/node-redis/tree/master/packages/client/lib/client
 */

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

/** Returns whether the command was removed from the client's queue by its AbortSignal. */
export function isAborted(error: unknown): boolean {
  return error instanceof Error && error.message === "The command was aborted";
}
