/** How the relay passes on what the two sides of a connection send. */
import type { Socket } from "node:net";
import type { Side, Split } from "./messages.ts";
import type { Link, MessageListener } from "./relayed.ts";

/** One connection through the relay, and its two sockets. */
export class RelayLink implements Link {
  readonly index: number;
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
