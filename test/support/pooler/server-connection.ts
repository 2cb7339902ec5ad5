/** A pooler's connection to PostgreSQL. */
import type { Socket } from "node:net";
import { connect } from "node:net";
import pg from "pg";
import {
  cancelRequest,
  MessageReader,
  parameterStatus,
  type Key,
  type Message,
} from "./messages.ts";

/** The parts of `pg.Client` that its types leave out. */
interface ClientParts {
  readonly processID: number;
  readonly secretKey: number;
  readonly connection: pg.Connection & { readonly stream: Socket };
}

/** Receives what a server sends. */
export interface ServerOwner {
  onServerMessage(message: Message): void;
  onServerClose(): void;
}

export class ServerConnection {
  readonly key: Key;
  /** The ParameterStatus messages of the login. */
  readonly parameters: readonly Buffer[];
  /** Whom the server works for. */
  owner: ServerOwner | undefined;
  isClosed = false;
  readonly #socket: Socket;
  readonly #reader = new MessageReader("server");

  private constructor(socket: Socket, key: Key, parameters: readonly Buffer[]) {
    this.#socket = socket;
    this.key = key;
    this.parameters = parameters;
    socket.on("data", (chunk: Buffer) => {
      for (const message of this.#reader.add(chunk)) this.owner?.onServerMessage(message);
    });
    socket.on("error", () => undefined); // "close" follows
    socket.on("close", () => {
      this.isClosed = true;
      this.owner?.onServerClose();
    });
  }

  /** Logs in with pg, which knows every way to authenticate, and takes its socket. */
  static async open(config: pg.ClientConfig): Promise<ServerConnection> {
    const client = new pg.Client(config);
    const { connection } = client as unknown as ClientParts;
    const parameters: Buffer[] = [];
    const emitter = connection as unknown as NodeJS.EventEmitter;
    emitter.on("parameterStatus", (status: { parameterName: string; parameterValue: string }) =>
      parameters.push(parameterStatus(status.parameterName, status.parameterValue)),
    );
    await client.connect();
    const { stream } = connection;
    stream.removeAllListeners();
    const { processID: pid, secretKey: secret } = client as unknown as ClientParts;
    return new ServerConnection(stream, { pid, secret }, parameters);
  }

  send(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  /** Closes the connection. The owner learns nothing. */
  close(): void {
    this.owner = undefined;
    this.isClosed = true;
    this.#socket.destroy();
  }

  /** Sends PostgreSQL a cancel request for what runs here. Resolves when PostgreSQL has closed its connection. */
  async cancel(): Promise<void> {
    const { remoteAddress: host = "", remotePort: port = 0 } = this.#socket;
    const socket = connect({ host, port });
    socket.on("error", () => undefined);
    socket.resume();
    socket.write(cancelRequest(this.key));
    await new Promise((resolve) => socket.once("close", resolve));
  }
}
