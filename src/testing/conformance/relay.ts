/** A TCP relay between a driver and its server. It can hold, drop and break what passes through it. */
import { connect, createServer, type AddressInfo, type Server } from "node:net";
import { chunks, type Split } from "./messages.ts";
import { RelayLink } from "./relay-link.ts";
import type { Address, Link, Relay } from "./relayed.ts";

/**
 * Starts a relay to `target`. It passes on one message at a time. The next message follows after one
 * turn of the event loop, so that the effects of the first one come before.
 */
export async function startRelay(target: Address, split: Split = chunks): Promise<Relay> {
  const links: Link[] = [];
  const server = createServer((near) => {
    const far = connect({ host: target.host, port: target.port });
    links.push(
      new RelayLink(links.length, near, far, split, (message) => relay.onMessage?.(message)),
    );
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
