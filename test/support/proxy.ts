/** A TCP proxy that can delay, stall and break connections, as networks do. */
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** One side of a connection through the proxy: the client that connected to it, or the server behind it. */
export type Side = "client" | "server";

/** One connection through the proxy. */
export interface Link {
  /** Its place in the order of arrival, from 0. */
  readonly index: number;
  /** Passes nothing on from now on, and closes nothing. */
  stall(): void;
  /** Delays everything that arrives from now on by `ms` milliseconds, in both directions. */
  delay(ms: number): void;
  /**
   * Tells one side that the other will send no more: sends a FIN after everything that is on its way
   * already. That side may go on sending.
   */
  halfClose(side: Side): void;
  /** Breaks both sides with a TCP reset. */
  reset(): void;
}

export interface ProxyOptions {
  /** Called for each connection before anything is passed on. */
  onLink?: ((link: Link) => void) | undefined;
  /**
   * Called with each chunk that one side has sent, before the chunk is passed on. If it returns a
   * promise, the chunk is passed on when the promise resolves, and everything that the same side sends
   * later waits, including its FIN. If it throws or rejects, the connection is reset.
   */
  onChunk?: ((link: Link, from: Side, chunk: Buffer) => void | PromiseLike<void>) | undefined;
}

export interface Proxy {
  readonly host: string;
  readonly port: number;
  readonly links: readonly Link[];
  /** How many connections the client has not closed. */
  readonly open: number;
  /** Refuses new connections from now on, or accepts them again. Existing connections stay. */
  refuse(isRefusing?: boolean): Promise<void>;
}

/** Starts a proxy to `target` that ends with the test. A function instead of options is `onLink`. */
export async function startProxy(
  target: { host: string; port: number },
  options: ProxyOptions | ((link: Link) => void) = {},
): Promise<Proxy> {
  const { onLink, onChunk } = typeof options === "function" ? { onLink: options } : options;
  const links: Link[] = [];
  const sockets = new Set<Socket>();
  let open = 0;
  const server = createServer({ allowHalfOpen: true }, (near) => {
    open++;
    const far = connect({ ...target, allowHalfOpen: true });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.setNoDelay(true); // the only delay is the one that the test asks for
      socket.on("error", () => undefined); // the proxy causes resets on purpose
    }
    let isOpen = true;
    const closeLink = (): void => {
      if (isOpen) open--;
      isOpen = false;
    };
    near.once("end", closeLink);
    near.once("close", () => {
      closeLink();
      far.destroy();
    });
    let stalled = false;
    let delay = 0;
    const reset = (): void => {
      near.resetAndDestroy();
      far.resetAndDestroy();
    };
    const pass = (side: Side, from: Socket, to: Socket): Queue => {
      const queue = new Queue(reset);
      from.on("data", (chunk: Buffer) => {
        const before = onChunk && (() => onChunk(link, side, chunk));
        queue.add(delay, before, () => {
          if (!stalled && to.writable) to.write(chunk);
        });
      });
      from.on("end", () =>
        queue.add(delay, undefined, () => {
          if (!stalled) to.end();
        }),
      );
      return queue;
    };
    const toServer = pass("client", near, far);
    const toClient = pass("server", far, near);
    far.once("close", () =>
      toClient.add(0, undefined, () => {
        if (!stalled) near.destroySoon();
      }),
    );
    const link: Link = {
      index: links.length,
      stall: () => void (stalled = true),
      delay: (ms) => void (delay = ms),
      halfClose(side) {
        if (side === "client") toClient.add(0, undefined, () => near.end());
        else toServer.add(0, undefined, () => far.end());
      },
      reset,
    };
    links.push(link);
    onLink?.(link);
  });
  const listen = (port: number): Promise<void> =>
    new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  await listen(0);
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    host: "127.0.0.1",
    port,
    links,
    get open() {
      return open;
    },
    async refuse(isRefusing = true) {
      if (isRefusing) server.close();
      else if (!server.listening) await listen(port);
    },
  };
}

/** Everything that one side sends, in order. */
class Queue {
  #waiting = 0;
  #last: Promise<void> = Promise.resolve();
  readonly #onFailure: () => void;

  constructor(onFailure: () => void) {
    this.#onFailure = onFailure;
  }

  /** Calls `action` when all earlier actions are done, `delay` milliseconds have passed, and `before` has resolved. */
  add(
    delay: number,
    before: (() => void | PromiseLike<void>) | undefined,
    action: () => void,
  ): void {
    if (this.#waiting === 0 && delay === 0 && before === undefined) {
      action();
      return;
    }
    const due = performance.now() + delay;
    this.#waiting++;
    this.#last = this.#last
      .then(async () => {
        const left = due - performance.now();
        if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
        await before?.();
        action();
      })
      .catch(this.#onFailure)
      .finally(() => this.#waiting--);
  }
}
