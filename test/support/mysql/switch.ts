/** A relay for MySQL's protocol that behaves as proxies do which hide several servers behind one address. */
import { connect, createServer, type AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export type Endpoint = { readonly host: string; readonly port: number } | { readonly path: string };

export interface SwitchOptions {
  /** Returns where a connection goes. `index` is its place in the order of arrival, from 0. */
  readonly target: (index: number) => Endpoint;
  /** Listens on a Unix socket instead of a port. */
  readonly path?: string;
  /** Returns the thread id that the client is told, in place of the server's. */
  readonly threadId?: (index: number, id: number) => number;
  /**
   * Returns whether the client is told what the server sends from now on, and that the server has
   * closed the connection.
   */
  readonly passesOn?: (index: number) => boolean;
}

export interface Switch {
  readonly host: string;
  readonly port: number;
  /** How many of the messages from clients contain this text. */
  sent(text: string): number;
}

/** Starts a relay that ends with the test. */
export async function startSwitch(options: SwitchOptions): Promise<Switch> {
  const { target, threadId, passesOn = () => true } = options;
  const messages: Buffer[] = [];
  let links = 0;
  const server = createServer((near) => {
    const index = links++;
    const far = connect({ ...target(index) });
    for (const socket of [near, far]) {
      socket.setNoDelay(true);
      socket.on("error", () => undefined); // a server that stops resets its connections
    }
    near.on("data", (chunk) => {
      messages.push(chunk);
      if (far.writable) far.write(chunk);
    });
    let isFirst = true;
    far.on("data", (chunk) => {
      if (isFirst && threadId !== undefined) {
        // Four bytes of header, the version of the protocol, and the server's version with a zero byte.
        const at = chunk.indexOf(0, 5) + 1;
        chunk.writeUInt32LE(threadId(index, chunk.readUInt32LE(at)), at);
      }
      isFirst = false;
      if (passesOn(index)) near.write(chunk);
    });
    near.once("close", () => far.destroy());
    far.once("close", () => {
      if (passesOn(index)) near.destroySoon();
    });
    onTestFinished(() => {
      near.destroy();
      far.destroy();
    });
  });
  await new Promise<void>((resolve) =>
    options.path === undefined
      ? server.listen(0, "127.0.0.1", resolve)
      : server.listen(options.path, resolve),
  );
  onTestFinished(() => void server.close());
  return {
    host: "127.0.0.1",
    port: options.path === undefined ? (server.address() as AddressInfo).port : 0,
    sent: (text) => messages.filter((message) => message.includes(text)).length,
  };
}
