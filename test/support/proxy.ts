/** A TCP proxy that behaves as badly as networks do. */
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** Of a connection through the proxy: who listens to the proxy's client, who to the server. */
export type Side = "client" | "server";

/** What becomes of one connection. */
export interface Link {
  /** Its place in the order of arrival, from 0. */
  readonly index: number;
  /** From now on passes nothing on, and says nothing. */
  stall(): void;
  /** What arrives from now on is passed on so many milliseconds later, in both directions. */
  delay(ms: number): void;
  /**
   * Says to one side that the other will send no more (a FIN, after what is on its way already). It
   * may go on sending.
   */
  halfClose(side: Side): void;
  /** Breaks both sides with a TCP reset. */
  reset(): void;
}

export interface ProxyOptions {
  /** Called for each connection before anything is passed on. */
  onLink?: ((link: Link) => void) | undefined;
  /**
   * Called with what one side has sent, before it is passed on: when the promise, if it returns
   * one, resolves. Nothing overtakes: what the same side sends next waits, and its end too. If it
   * throws or rejects, the connection is reset.
   */
  onChunk?: ((link: Link, from: Side, chunk: Buffer) => void | PromiseLike<void>) | undefined;
}

export interface Proxy {
  readonly host: string;
  readonly port: number;
  readonly links: readonly Link[];
  /** How many of them the client has not closed. */
  readonly open: number;
  /** From now on new connections are refused, or accepted again. Old ones stay. */
  refuse(wanted?: boolean): Promise<void>;
}

/** Starts a proxy to `target` that ends with the test. A function is the option `onLink`. */
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
      socket.setNoDelay(true); // late is what the test says is late
      socket.on("error", () => undefined); // resets are what this is for
    }
    let counted = true;
    const left = (): void => {
      if (counted) open--;
      counted = false;
    };
    near.once("end", left);
    near.once("close", () => {
      left();
      far.destroy();
    });
    let stalled = false;
    let late = 0;
    const reset = (): void => {
      near.resetAndDestroy();
      far.resetAndDestroy();
    };
    const pass = (side: Side, from: Socket, to: Socket): Queue => {
      const queue = new Queue(reset);
      from.on("data", (chunk: Buffer) => {
        const before = onChunk && (() => onChunk(link, side, chunk));
        queue.add(late, before, () => {
          if (!stalled && to.writable) to.write(chunk);
        });
      });
      from.on("end", () =>
        queue.add(late, undefined, () => {
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
      delay: (ms) => void (late = ms),
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
    async refuse(wanted = true) {
      if (wanted) server.close();
      else if (!server.listening) await listen(port);
    },
  };
}

/** What goes one way, in order. */
class Queue {
  #waiting = 0;
  #last: Promise<void> = Promise.resolve();
  readonly #failed: () => void;

  constructor(failed: () => void) {
    this.#failed = failed;
  }

  /** Does `what` after everything before it, `late` milliseconds from now and `before`. */
  add(late: number, before: (() => void | PromiseLike<void>) | undefined, what: () => void): void {
    if (this.#waiting === 0 && late === 0 && before === undefined) {
      what();
      return;
    }
    const due = performance.now() + late;
    this.#waiting++;
    this.#last = this.#last
      .then(async () => {
        const left = due - performance.now();
        if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
        await before?.();
        what();
      })
      .catch(this.#failed)
      .finally(() => this.#waiting--);
  }
}
