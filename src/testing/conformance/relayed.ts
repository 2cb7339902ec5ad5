/** What a relay shows of the connections and messages that pass through it. */
import type { Bytes, Side } from "./messages.ts";

/** Where a server listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** One connection through the relay. */
export interface Link {
  /** Its place in the order of arrival, from 0. */
  readonly index: number;
  /** Whether the client has closed the connection, or the relay has broken it. */
  readonly isClosed: boolean;
  /** Breaks both sides with a TCP reset. */
  reset(): void;
  /** Closes both sides. */
  destroy(): void;
}

/** One message on its way through the relay. */
export interface RelayedMessage {
  readonly link: Link;
  readonly from: Side;
  /** The name that `Split` gave it, after the side that sent it: "client: first". */
  readonly name: string;
  readonly bytes: Bytes;
}

/**
 * Called with each message before it is passed on. If it returns a promise, the message is passed on
 * when the promise resolves, and everything that the same side sends later waits. A message is not
 * passed on if the result is "drop". If the listener throws or rejects, the connection is reset.
 */
export type MessageListener = (message: RelayedMessage) => unknown;

/** A relay that is running. */
export interface Relay extends Address {
  /** All connections that the driver has opened, in the order of their arrival. */
  readonly links: readonly Link[];
  onMessage: MessageListener | undefined;
  /** Refuses new connections from now on, or accepts them again. Existing connections stay. */
  refuse(isRefusing: boolean): Promise<void>;
  /** Closes the relay and breaks its connections. */
  close(): void;
}
