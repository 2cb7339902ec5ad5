/** A TCP relay between a driver and its server. It can hold, drop and break what passes through it. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { chunks, type Bytes, type Side, type Split } from "./messages.ts";

/** Where a server listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
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

/**
 * Starts a relay to `target`. It passes on one message at a time. The next message follows after one
 * turn of the event loop, so that the effects of the first one come before.
 */
export async function startRelay(target: Address, split: Split = chunks): Promise<Relay> {
  const links: Link[] = [];
  const server = createServer((near) => {
    const far = connect({ host: target.host, port: target.port });
    links.push(new Link(links.length, near, far, split, (message) => relay.onMessage?.(message)));
  });
  await listen(server, 0);
  const { port } = server.address() as AddressInfo;
  const relay: Relay = {
    host: "127.0.0.1",
    port,
    links,
    onMessage: undefined,
    async refuse(isRefusing) {
      if (isRefusing) server.close();
      else if (!server.listening) await listen(server, port);
    },
    close() {
      for (const link of links) link.destroy();
      server.close();
    },
  };
  return relay;
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject).listen(port, "127.0.0.1", () => {
      server.removeListener("error", reject);
      resolve();
    });
  });
}

/** One connection through the relay. */
export class Link {
  /** Its place in the order of arrival, from 0. */
  readonly index: number;
  /** How many messages the client has sent. */
  sent = 0;
  /** Whether the client has closed the connection, or the relay has broken it. */
  isClosed = false;
  readonly #near: Socket;
  readonly #far: Socket;

  constructor(index: number, near: Socket, far: Socket, split: Split, onMessage: MessageListener) {
    this.index = index;
    this.#near = near;
    this.#far = far;
    for (const socket of [near, far]) socket.setNoDelay(true).on("error", () => undefined);
    near.once("end", () => (this.isClosed = true)).once("close", () => (this.isClosed = true));
    const pass = (from: Socket, to: Socket, side: Side): void => {
      let bytes = Buffer.alloc(0);
      let isFirst = true;
      let last = Promise.resolve();
      const passAll = async (): Promise<void> => {
        for (let message; (message = split(bytes, side, isFirst)) !== undefined;) {
          isFirst = false;
          const whole = bytes.subarray(0, message.length);
          bytes = bytes.subarray(message.length);
          if (side === "client") this.sent++;
          const name = `${side}: ${message.name}`;
          const verdict = await onMessage({ link: this, from: side, name, bytes: whole });
          if (verdict !== "drop" && to.writable) to.write(whole);
          await new Promise((resolve) => setImmediate(resolve));
        }
      };
      from.on("data", (chunk: Buffer) => {
        bytes = Buffer.concat([bytes, chunk]);
        last = last.then(passAll).catch(() => this.reset());
      });
      from.on("end", () => void last.then(() => to.end()));
      from.on("close", () => void last.then(() => to.destroySoon()));
    };
    pass(near, far, "client");
    pass(far, near, "server");
  }

  /** Breaks both sides with a TCP reset. */
  reset(): void {
    this.isClosed = true;
    this.#near.resetAndDestroy();
    this.#far.resetAndDestroy();
  }

  destroy(): void {
    this.isClosed = true;
    this.#near.destroy();
    this.#far.destroy();
  }
}
