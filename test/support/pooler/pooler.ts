/** A pooler in front of a real PostgreSQL that treats cancel requests as public poolers do. */
import { createServer, type AddressInfo, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { random } from "../../../src/testing/conformance/index.ts";
import { postgresUrl } from "../postgres.ts";
import type { Behavior } from "./behavior.ts";
import { ClientConnection, type Pooling } from "./client-connection.ts";
import { CANCEL_REQUEST, keyOf, MessageReader, type Key } from "./messages.ts";
import { ServerConnection } from "./server-connection.ts";
import { ServerPool } from "./server-pool.ts";

export interface PoolerOptions extends Behavior {
  /** The seed of its random choices. */
  readonly seed?: number;
  /** How many server connections there are in transaction mode. Default: 4. */
  readonly servers?: number;
  /**
   * Called when a cancel request has arrived and its connection is closed. The pooler forwards the
   * request when the promise resolves. Default: at once.
   */
  readonly hold?: (draw: () => number) => PromiseLike<unknown>;
  /**
   * Called when PostgreSQL has handled a cancel request. The pooler sends the request once more when the
   * promise resolves. So does the second signal of PostgreSQL before 18 arrive. Default: never.
   */
  readonly again?: () => PromiseLike<unknown>;
  /** The `server_version_num` that statements of clients find. Default: that of PostgreSQL. */
  readonly version?: number;
}

export interface Pooler {
  readonly url: string;
  /** All clients that have logged in, in order. */
  readonly clients: readonly ClientConnection[];
  /** How many cancel requests have arrived. */
  readonly arrived: number;
  /** How many of them PostgreSQL has handled, or no server was found for. */
  readonly handled: number;
}

/** Starts a pooler that ends with the test. */
export async function startPooler(options: PoolerOptions): Promise<Pooler> {
  const { key, route, hold = () => Promise.resolve(), again, seed = 1, servers = 4 } = options;
  const draw = random(seed);
  const clients: ClientConnection[] = [];
  const clientsByKey = new Map<string, ClientConnection>();
  const sockets = new Set<Socket>();
  const count = { arrived: 0, handled: 0 };
  const opened: ServerConnection[] = [];
  const open = async (applicationName?: string): Promise<ServerConnection> => {
    const server = await ServerConnection.open({
      connectionString: postgresUrl(),
      application_name: applicationName,
    });
    opened.push(server);
    return server;
  };
  const pooling = options.pooling === "session" ? bySession(open) : byTransaction(open, servers);
  const busy = (): ServerConnection[] => clients.flatMap(({ server }) => server ?? []);

  const cancel = async (bytes: Buffer): Promise<void> => {
    count.arrived++;
    const find = route({ client: clientsByKey.get(nameOf(keyOf(bytes))), busy, draw });
    await hold(draw);
    const server = find();
    await server?.cancel();
    if (again !== undefined) {
      await again();
      if (server?.isClosed === false) await server.cancel();
    }
    count.handled++;
  };
  const logIn = (socket: Socket, startupMessage: Buffer): ClientConnection => {
    const own = { pid: 100_000 + clients.length, secret: Math.floor(draw() * 2 ** 31) };
    const told = { own, zero: { pid: 0, secret: 0 }, none: undefined }[key];
    const client = new ClientConnection(socket, pooling, told, options.version);
    clients.push(client);
    if (key === "own") clientsByKey.set(nameOf(own), client);
    client.logIn(startupMessage).catch(() => socket.destroy());
    return client;
  };

  const server = createServer((socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => undefined); // "close" follows
    const reader = new MessageReader("client");
    let client: ClientConnection | undefined;
    socket.on("data", (chunk: Buffer) => {
      for (const message of reader.add(chunk)) {
        if (client !== undefined) client.onClientMessage(message);
        else if (message.bytes.readInt32BE(4) === CANCEL_REQUEST) {
          socket.end(); // this is what deceives clients
          void cancel(message.bytes);
        } else if (message.bytes.length === 8)
          socket.write("N"); // no encryption
        else client = logIn(socket, message.bytes);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    for (const server of opened) server.close();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: postgresUrl({ host: "127.0.0.1", port }),
    clients,
    get arrived() {
      return count.arrived;
    },
    get handled() {
      return count.handled;
    },
  };
}

/**
 * Returns the statements that the client of the statement with this tag has sent after it. Empty ones
 * are left out: with one, the adapter of postgres.js finds the socket that it closes.
 */
export function statementsAfter(tag: string, { clients }: Pooler): string[] {
  const sent = clients.map(({ statements }) => statements);
  const own = sent.find((statements) => statements.some((sql) => sql.includes(tag)));
  if (own === undefined) throw new Error(`no client has sent ${tag}`);
  const index = own.findLastIndex((sql) => sql.includes(tag));
  return own.slice(index + 1).filter((sql) => sql.trim() !== "");
}

function nameOf({ pid, secret }: Key): string {
  return `${pid} ${secret}`;
}

type Open = (applicationName?: string) => Promise<ServerConnection>;

/** Each client has a server of its own, which ends with it. */
function bySession(open: Open): Pooling {
  return {
    take: (startup) => open(startup.get("application_name")),
    discard: (server) => server.close(),
  };
}

/** Clients share a few servers. Each has one from the begin of a transaction to its end. */
function byTransaction(open: Open, size: number): Pooling {
  const pool = new ServerPool(() => open(), size);
  return {
    take: () => pool.take(),
    giveBack: (server) => pool.giveBack(server),
    discard: (server) => pool.discard(server),
  };
}
