/** A TCP proxy that behaves as badly as networks do. */
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** What becomes of one connection. */
export interface Link {
  /** Its place in the order of arrival, from 0. */
  readonly index: number;
  /** From now on passes nothing on, and says nothing. */
  stall(): void;
  /** Breaks both sides with a TCP reset. */
  reset(): void;
}

export interface Proxy {
  readonly host: string;
  readonly port: number;
  readonly links: readonly Link[];
  /** How many of them the client has not closed. */
  readonly open: number;
}

/**
 * Starts a proxy to `target` that ends with the test. `onLink` is called for each connection
 * before anything is passed on.
 */
export async function startProxy(
  target: { host: string; port: number },
  onLink: (link: Link) => void = () => undefined,
): Promise<Proxy> {
  const links: Link[] = [];
  const sockets = new Set<Socket>();
  let open = 0;
  const server = createServer({ allowHalfOpen: true }, (near) => {
    open++;
    const far = connect({ ...target, allowHalfOpen: true });
    for (const socket of [near, far]) {
      sockets.add(socket);
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
    const link: Link = {
      index: links.length,
      stall: () => void (stalled = true),
      reset: () => {
        near.resetAndDestroy();
        far.resetAndDestroy();
      },
    };
    links.push(link);
    const pass = (from: Socket, to: Socket): void => {
      from.on("data", (chunk) => {
        if (!stalled) to.write(chunk);
      });
      from.on("end", () => {
        if (!stalled) to.end();
      });
    };
    pass(near, far);
    pass(far, near);
    far.once("close", () => {
      if (!stalled) near.destroySoon();
    });
    onLink(link);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
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
  };
}
